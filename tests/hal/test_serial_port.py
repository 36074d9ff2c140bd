"""A serial port on the event loop, against a pseudo-terminal."""

import asyncio
import fcntl
import struct
from pathlib import Path

import pytest

from conclave_hal.errors import DeviceGoneError
from conclave_hal.serial_port import SerialSettings, open_serial_port
from conclave_hal.simulated.pty_wire import PtyWire

TIOCGEXCL = 0x80045440
"""<asm-generic/ioctls.h>; the module termios has no name for it."""


def is_exclusive(wire: PtyWire) -> bool:
    """Whether the kernel refuses whoever is not root."""
    (flag,) = struct.unpack("i", fcntl.ioctl(wire._far, TIOCGEXCL, bytes(4)))
    return bool(flag)


async def test_bytes_go_both_ways(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "tty")
    wire.plug_in()
    port = open_serial_port(str(wire.link), SerialSettings())
    await port.write(b"\x88\x30\x01\xff")
    assert await wire.read() == b"\x88\x30\x01\xff"
    wire.write(b"\x90\x38\xff")
    assert await port.read() == b"\x90\x38\xff"
    port.close()
    wire.unplug()


async def test_a_port_that_vanishes_is_gone_for_whoever_reads_and_writes(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "tty")
    wire.plug_in()
    port = open_serial_port(str(wire.link), SerialSettings())
    reading = asyncio.create_task(port.read())
    await asyncio.sleep(0)
    wire.unplug()
    with pytest.raises(DeviceGoneError):
        await reading
    with pytest.raises(DeviceGoneError):
        await port.write(b"x")
    with pytest.raises(DeviceGoneError, match="No such file"):
        open_serial_port(str(wire.link), SerialSettings())


async def test_a_port_that_was_closed_says_so(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "tty")
    wire.plug_in()
    port = open_serial_port(str(wire.link), SerialSettings())
    port.close()
    port.close()
    with pytest.raises(DeviceGoneError, match="closed"):
        await port.read()
    wire.unplug()


async def test_nobody_else_opens_the_same_port(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "tty")
    wire.plug_in()
    port = open_serial_port(str(wire.link), SerialSettings())
    with pytest.raises(DeviceGoneError):
        open_serial_port(str(wire.link), SerialSettings())
    port.close()
    again = open_serial_port(str(wire.link), SerialSettings())
    again.close()
    wire.unplug()


async def test_a_port_that_was_closed_is_open_to_others_than_root_again(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "tty")
    wire.plug_in()
    port = open_serial_port(str(wire.link), SerialSettings())
    assert is_exclusive(wire)
    port.close()
    assert not is_exclusive(wire)
    wire.unplug()


async def test_a_device_that_says_more_than_anybody_reads_is_cut_off(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "tty")
    wire.plug_in()
    port = open_serial_port(str(wire.link), SerialSettings())
    with pytest.raises(DeviceGoneError, match="more than anybody reads"):
        while True:
            wire.write(bytes(2048))
            await asyncio.sleep(0)
            await port.write(b"")
            if "gone" in repr(port):
                await port.write(b"x")
    port.close()
    wire.unplug()
