# Which slot U-Boot starts: RAUC's protocol for it (its manual, "U-Boot"). A slot is tried as often as its counter
# says; rauc-mark-good fills it again. The board sets before: boot_interface and boot_disk (where the disk is),
# fit_address (room for a FIT), board_arguments (for the kernel).
#
# The environment is a sector that anybody may have written who had the disk: three variables are taken from it, and
# no more.
part start ${boot_interface} ${boot_disk} env env_start
${boot_interface} read ${fit_address} ${env_start} 1
env import -c ${fit_address} 0x200 BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
test -n "${BOOT_ORDER}" || setenv BOOT_ORDER "A B"
test -n "${BOOT_A_LEFT}" || setenv BOOT_A_LEFT 3
test -n "${BOOT_B_LEFT}" || setenv BOOT_B_LEFT 3
setenv slot
for candidate in ${BOOT_ORDER}; do
    if test -n "${slot}"; then
        true
    elif test ${candidate} = A && test ${BOOT_A_LEFT} -gt 0; then
        setexpr BOOT_A_LEFT ${BOOT_A_LEFT} - 1
        setenv slot A
        setenv kernel kernel-a
    elif test ${candidate} = B && test ${BOOT_B_LEFT} -gt 0; then
        setexpr BOOT_B_LEFT ${BOOT_B_LEFT} - 1
        setenv slot B
        setenv kernel kernel-b
    fi
done
# No slot is left: both get new tries, because a device that stands still helps nobody.
if test -z "${slot}"; then
    setenv BOOT_A_LEFT 3
    setenv BOOT_B_LEFT 3
fi
env export -c -s 0x200 ${fit_address} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
${boot_interface} write ${fit_address} ${env_start} 1
if test -n "${slot}"; then
    part start ${boot_interface} ${boot_disk} ${kernel} kernel_start
    part size ${boot_interface} ${boot_disk} ${kernel} kernel_size
    ${boot_interface} read ${fit_address} ${kernel_start} ${kernel_size}
    setenv bootargs "rauc.slot=${slot} panic=5 quiet ${board_arguments}"
    bootm ${fit_address}#conf ${fit_address}#conf ${fdtcontroladdr}
fi
# Here only if there was no slot, or its signature did not hold.
reset
