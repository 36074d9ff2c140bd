# Before buildroot/board/common/boot.cmd: the card or the module's eMMC is mmc 0. The FIT has a device tree for each
# board; the common commands hand on the one at fdtcontroladdr, which on other boards is U-Boot's own.
setenv boot_interface mmc
setenv boot_disk 0
mmc dev 0
setenv fit_address 0x08000000
setenv board_arguments "console=ttyS1,115200 systemd.show_status=error"
setenv fdtcontroladdr "${fit_address}#conf"
if test "${fdtfile}" = "broadcom/bcm2711-rpi-4-b.dtb"; then
    setenv fdtcontroladdr "${fit_address}#conf-rpi-4-b"
fi
