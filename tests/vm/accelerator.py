"""Whether KVM runs Debian's kernel here; where it does not, QEMU emulates the processor.

`/dev/kvm` alone says little: one may not be allowed to use it, and a hypervisor without its own
processor's help (a KVM that is itself in a guest) may step through a kernel of which nothing ever comes.
So a kernel is booted once, to its panic for want of anything to run. The answer is kept until the next
boot of the host.
"""

import os
import subprocess
from enum import Enum
from pathlib import Path

from tests.vm.build import Built

PROGRAM = "qemu-system-x86_64"
KVM = Path("/dev/kvm")
PATIENCE_S = 10.0
"""A kernel on KVM is at its panic after one."""


class Accelerator(Enum):
    """How the guest's processor is made; the value is words for QEMU."""

    # Under another hypervisor this register is not always writable, and nobody here needs it.
    KVM = ("-accel", "kvm", "-cpu", "host,-arch-capabilities")
    EMULATED = ("-accel", "tcg,thread=multi", "-cpu", "max")


def accelerator(built: Built) -> tuple[Accelerator, str]:
    """What to boot `built` with; and where it is not KVM, why, and what to do about it."""
    if not KVM.exists():
        return Accelerator.EMULATED, f"there is no {KVM}"
    if not os.access(KVM, os.R_OK | os.W_OK):
        return Accelerator.EMULATED, f"you may not use {KVM}: sudo usermod -aG kvm $USER, and log in anew"
    kept = built.kernel.with_name("kvm")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    if not kept.exists() or kept.read_text().split()[0] != boot:
        kept.write_text(f"{boot} {'works' if _boots(built) else 'fails'}\n")
    if kept.read_text().split()[1] == "works":
        return Accelerator.KVM, ""
    return Accelerator.EMULATED, f"{KVM} does not boot Debian's kernel"


def _boots(built: Built) -> bool:
    words = [
        PROGRAM,
        *Accelerator.KVM.value,
        "-machine",
        "q35",
        "-m",
        "512",
        "-nodefaults",
        "-no-user-config",
    ]
    words += ["-no-reboot", "-display", "none", "-kernel", str(built.kernel), "-append", "panic=-1"]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
