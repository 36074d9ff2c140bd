"""The far end of a serial wire: a pseudo-terminal that a driver opens like any serial port.

The path that the driver is given is a link, as `/dev/serial/by-path` has them: `unplug` takes it away and
hangs up, `plug_in` makes it anew, perhaps to another terminal.
"""

import asyncio
import os
import tty
from pathlib import Path

READ_BYTES = 4096


class PtyWire:
    """One wire. One event loop owns it."""

    def __init__(self, link: Path) -> None:
        """`link` is the path for the driver; its folder exists. Nothing is there before `plug_in`."""
        self.link = link
        self._near = self._far = -1
        self._arrived = asyncio.Event()
        self._heard = bytearray()

    @property
    def is_plugged_in(self) -> bool:
        """Whether the driver can open the wire."""
        return self._near >= 0

    def plug_in(self) -> None:
        """Make the terminal and its link. Does nothing while it is plugged in. Raises OSError."""
        if self.is_plugged_in:
            return
        self._near, self._far = os.openpty()
        tty.setraw(self._far)
        os.set_blocking(self._near, False)
        temporary = self.link.with_name(f".{self.link.name}.new")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(os.ttyname(self._far))
        temporary.replace(self.link)
        asyncio.get_running_loop().add_reader(self._near, self._readable)

    def unplug(self) -> None:
        """Hang up: the driver sees its port vanish. Safe to call twice."""
        if not self.is_plugged_in:
            return
        asyncio.get_running_loop().remove_reader(self._near)
        self.link.unlink(missing_ok=True)
        # The far end was held open only so that a driver may come and go; its hang-up is the near end's end.
        os.close(self._far)
        os.close(self._near)
        self._near = self._far = -1
        self._heard.clear()

    async def read(self) -> bytes:
        """What the driver has written, at least one byte; waits over times without a plug."""
        while not self._heard:
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._heard)
        self._heard.clear()
        return data

    def write(self, data: bytes) -> None:
        """Send to the driver, in one piece. What the terminal has no room for, or nobody hears, is lost."""
        if not self.is_plugged_in:
            return
        try:
            os.write(self._near, data)
        except OSError:
            return

    def _readable(self) -> None:
        try:
            data = os.read(self._near, READ_BYTES)
        except OSError:
            return
        self._heard += data
        self._arrived.set()
