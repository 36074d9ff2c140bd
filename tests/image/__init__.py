"""The firmware as firmware: an ARM64 machine under QEMU that boots the image, and what is checked on it.

    build/         the image, stage by stage, in the user's cache
    layer/         what only the tests' image has: a root console, and who tells the time
    machine.py     a device: QEMU, its TPM (tpm.py), its snapshot; power on, power cut
    admin.py       commands over SSH        console.py     scripts as root, over the machine's own port
    qmp.py         QEMU's monitor           wire.py        a cable to a second card, and a scan of all ports
    namespace.py   a network of the tests' own; ntp.py is the time server in it
    conftest.py    the fixtures: device, shared_device, fresh, make_machine

`make test-image` builds and runs all of it (`__main__.py`).
"""
