# Before buildroot/board/common/boot.cmd: the disk is the first on virtio.
pci enum
virtio scan
setenv boot_interface virtio
setenv boot_disk 0
setenv fit_address 0x50000000
setenv board_arguments "console=ttyAMA0 mitigations=off systemd.show_status=error"
