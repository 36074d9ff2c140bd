"""A small guest of QEMU that has what a container or a CI machine lacks: cameras, sound cards, HDMI-CEC,
input devices and a display, all of Debian's own kernel (vivid, snd-aloop, uinput, virtio-gpu, vhci-hcd).

    build.py        the kernel and an initial file system from Debian's packages, in the user's cache
    accelerator.py  whether KVM runs that kernel here; QEMU emulates the processor where it does not
    machine.py      QEMU, and what the guest may ask of it (pictures of its screen, presses)
    modules         what the guest loads, and with which parameters
    init            the guest's first program: modules, folders of the host, pytest
    guest/          the tests, which run inside

The guest has no disk and no copy of anything: it sees the host's `/usr`, `.venv` and this tree through
9p, read only, each at its own path. USB devices are programs of the tests, plugged into the kernel's virtual
host: a camera with a shutter that can be turned, which vivid has not, and GPIO lines, for want of gpio-sim.
Debian's kernel has no vkms and no vicodec either: an H.264 encoder of the kernel is tested against a double,
in tests/hal. So are push buttons on GPIO lines: the guest hangs where a line is high before it is asked for.
"""
