"""Whether the state directory's disk still takes what has to be kept: told before it is too late, and after.

A full disk ends nothing: a meeting's keys are never on it, and what is in force is in memory. What an admin
changes is refused then, and a certificate cannot be renewed.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

LEAST_BYTES = 4 * 1024 * 1024
"""The largest settings, a chain, an order and the records of some meetings."""
LEAST_FILES = 64
LOOK_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """Of one folder's file system."""

    folder: Path
    changed: Callable[[], None] = lambda: None
    """Called when `problem` is another."""
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def problem(self) -> str:
        """A line with the command that tells more; empty while there is space."""
        try:
            found = os.statvfs(self.folder)
        except OSError as error:
            return f"{self.folder} cannot be reached: {error.strerror}: conclavectl doctor"
        if found.f_flag & os.ST_RDONLY:
            # The kernel mounts an ext4 file system so that it finds damaged.
            return (
                "the device's disk is read-only: nothing can be changed, and no certificate renewed; a "
                "restart may mend it: conclavectl reboot"
            )
        # Some file systems count no files.
        is_out_of_files = found.f_files > 0 and found.f_favail < LEAST_FILES
        if found.f_bavail * found.f_frsize >= LEAST_BYTES and not is_out_of_files:
            return ""
        return (
            "the device's disk is full: nothing can be changed, and no certificate renewed, until there is "
            "space: conclavectl doctor"
        )

    async def run(self) -> None:
        """Tell of changes, until cancelled."""
        told = self.problem
        while True:
            await self.pause(LOOK_EVERY_S)
            if self.problem != told:
                told = self.problem
                self.changed()
