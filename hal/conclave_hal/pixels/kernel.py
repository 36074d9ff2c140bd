"""The few calls into the kernel that a glass needs, behind one seam, so that tests can stand below it."""

import ctypes
import fcntl
import mmap
import os
from typing import Protocol

_READ, _WRITE = 2, 1


def io(group: str, number: int) -> int:
    """An ioctl's number without data, as `_IO` makes it (asm-generic/ioctl.h)."""
    return ord(group) << 8 | number


def iowr(group: str, number: int, size: int) -> int:
    """One that reads and writes `size` bytes, as `_IOWR` makes it."""
    return (_READ | _WRITE) << 30 | size << 16 | ord(group) << 8 | number


class Mapping(Protocol):
    """Memory that is on the screen."""

    def __getitem__(self, where: slice) -> bytes: ...

    def __setitem__(self, where: slice, data: bytes) -> None: ...

    def close(self) -> None:
        """Give it back."""


class Kernel(Protocol):
    """What a glass asks of the operating system. Everything may raise OSError."""

    def open(self, path: str) -> int:
        """Open a device for reading and writing."""

    def ioctl(self, descriptor: int, request: int, data: ctypes.Structure | None) -> None:
        """Do a request; the answer comes in `data`."""

    def map(self, descriptor: int, length: int, offset: int) -> Mapping:
        """Map memory of the device, shared."""

    def flush(self, descriptor: int) -> None:
        """Wait until what was written to mapped memory has gone to the device."""

    def close(self, descriptor: int) -> None:
        """Close a device."""


class SystemKernel:
    """The real one."""

    def open(self, path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def ioctl(self, descriptor: int, request: int, data: ctypes.Structure | None) -> None:
        # A structure is a buffer that Python hands to the kernel as it is, and the kernel writes into.
        fcntl.ioctl(descriptor, request, data if data is not None else 0)

    def map(self, descriptor: int, length: int, offset: int) -> Mapping:
        return mmap.mmap(descriptor, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)

    def flush(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)


SYSTEM = SystemKernel()
"""One, by which glasses on the same card find each other."""
