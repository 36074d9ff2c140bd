"""A real dbus-daemon of the tests' own: no service activation, nothing of the host's buses."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

# Everybody of the same user may do everything, as on a session bus.
OPEN_POLICY = """
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
"""

# What a distribution's system.conf says: names and calls need a hole punched by a service's own file,
# signals reach everybody.
SYSTEM_POLICY = """
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
  </policy>
"""

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>{type}</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  {policy}
</busconfig>
"""


class PrivateBus:
    """A dbus-daemon that lives as long as its `async with`; connect to `address`.

    With `service_policy` (the text of a service's policy file) it has the system bus's strict
    policy and that file's, and other users of this machine may connect to it.
    """

    def __init__(self, *, service_policy: str | None = None) -> None:
        self.address = ""
        self._service_policy = service_policy
        self._folder = Path()
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        # Unix socket paths are limited to 107 bytes: the system's short temporary folder, not pytest's.
        self._folder = Path(tempfile.mkdtemp(prefix="conclave-bus-"))
        policy = OPEN_POLICY
        if self._service_policy is not None:
            self._folder.chmod(0o755)
            (self._folder / "service.conf").write_text(self._service_policy)
            policy = SYSTEM_POLICY + "<include>service.conf</include>"
        (self._folder / "bus.conf").write_text(
            CONFIGURATION.format(
                type="session" if self._service_policy is None else "system",
                socket=self._folder / "socket",
                policy=policy,
            )
        )
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def start(self) -> None:
        """Start the daemon; after `stop`, again at the same address. Returns when one can connect."""
        program = shutil.which("dbus-daemon")
        if program is None:
            raise RuntimeError("dbus-daemon is not installed: apt-get install dbus-daemon")
        self._process = await asyncio.create_subprocess_exec(
            program,
            f"--config-file={self._folder / 'bus.conf'}",
            "--nofork",
            "--nopidfile",
            "--nosyslog",
            "--print-address=1",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            # It warns about users and groups of a policy file that this machine lacks: expected here.
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(10):
            printed = (await self._process.stdout.readline()).decode().strip()
        if not printed:
            await self.stop()
            raise RuntimeError("dbus-daemon did not start")
        # Without the guid, which changes with each start.
        self.address = printed.split(",guid=")[0]

    def signal(self, number: int) -> None:
        """Send the daemon a signal: SIGSTOP makes it hang."""
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self) -> None:
        """End the daemon as a power cut would. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        # The pipe's transport closes at end of file only once it has been read.
        if process.stdout is not None:
            await process.stdout.read()
