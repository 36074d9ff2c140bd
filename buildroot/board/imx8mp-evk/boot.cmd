# Before buildroot/board/common/boot.cmd: the eMMC is mmc 2. The FIT has the board's device tree; the common commands
# hand on the one at fdtcontroladdr, which on other boards is U-Boot's own.
setenv boot_interface mmc
setenv boot_disk 2
mmc dev 2
setenv fit_address 0x60000000
setenv board_arguments "console=ttymxc1,115200 systemd.show_status=error"
setenv fdtcontroladdr "${fit_address}#conf"
