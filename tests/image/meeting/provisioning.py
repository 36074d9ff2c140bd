"""An admin gives the device its CA, its trust and its name over SSH, and says all of it twice; what was seen.

`identity enroll` orders a certificate whenever it is said; what asks for one only if it is time is `renew`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.demo.stage import until
from tests.image.machine import Machine
from tests.image.meeting.host_rooms import GUEST_DOMAIN, GUEST_LOOPBACK, HostSide

HELPER = "conclave-http01.service"
PROBE_S = 0.3
CLOSED_WITHIN_S = 60.0
"""From the certificate to the helper's end; the machine is emulated."""
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


@dataclass(slots=True)
class Door:
    """What somebody outside finds at the device's port 80, again and again."""

    port: int
    answers: list[bool] = field(default_factory=list)

    async def is_open(self) -> bool:
        """Whether somebody in the device answers: QEMU itself takes every connection, and drops it."""
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(GUEST_LOOPBACK, self.port)
                with contextlib.closing(writer):
                    writer.write(REQUEST)
                    return bool(await reader.read(1))
        except (OSError, TimeoutError):
            return False

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self.answers.append(await self.is_open())
            await asyncio.sleep(PROBE_S)


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What an admin, a stranger at port 80 and somebody on the wire saw."""

    answers: dict[str, tuple[Any, Any]]
    """Of each command the first and the second answer."""
    was_open_before: bool
    was_open_meanwhile: bool
    is_open_after: bool
    helper_log: str
    """What systemd says of the helper's starts and ends."""
    status: Any
    identity: Any
    csr: str
    """PEM, made by the device again for the key that it has."""
    wire: bytes = field(repr=False)
    """All frames between the device and the host, both ways."""


async def provision(host: HostSide, machine: Machine, folder: Path) -> Provisioned:
    """Tell the whole of it."""
    ca, admin = host.stage.public_ca, machine.admin
    await machine.monitor(f"hostfwd_add net0 tcp:{GUEST_LOOPBACK}:{ca.http_port}-:80")
    await admin.until_answers()
    door = Door(ca.http_port)
    was_open_before = await door.is_open()
    root, provider_root = ca.root_pem, host.stage.provider_ca.root_pem
    trust = ("trust", "add", "-", "--label")
    commands: dict[str, tuple[tuple[str, ...], str]] = {
        "CA": (("config", "set", "acme.directory_url", ca.directory_url, "acme.agree_terms", "true"), ""),
        "CA's roots": (("config", "set", "acme.ca_pem", "-"), ca.ca_file.read_text()),
        "service's roots": (("config", "set", "conference.ca_pem", "-"), host.stage.hub_ca.read_text()),
        "trust": ((*trust, "public CA", "--kind", "verified"), root),
        "provider": ((*trust, "provider CA", "--kind", "provider"), provider_root),
        "identity": (("identity", "enroll", GUEST_DOMAIN), ""),
    }
    answers: dict[str, tuple[Any, Any]] = {}
    async with captured(machine, folder / "wire.pcap") as wire:
        for name, (words, stdin) in commands.items():
            watching = asyncio.create_task(door.watch())
            try:
                first = await admin.ctl(*words, stdin=stdin)
            finally:
                watching.cancel()
            words = ("identity", "renew") if name == "identity" else words
            answers[name] = (first, await admin.ctl(*words, stdin=stdin))
        csr = await admin.ctl("identity", "csr", GUEST_DOMAIN)

    async def is_closed() -> bool:
        return not await door.is_open()

    await until(is_closed, "port 80 to be closed again", CLOSED_WITHIN_S)
    log = f"journalctl -b --no-pager -o cat -u {HELPER} -u conclave-http01.path"
    return Provisioned(
        answers=answers,
        was_open_before=was_open_before,
        was_open_meanwhile=any(door.answers),
        is_open_after=await door.is_open(),
        helper_log=await machine.root.run(log),
        status=await admin.ctl("status"),
        identity=(await admin.ctl("identity", "show"))["identity"],
        csr=csr["csr"],
        wire=wire.read_bytes(),
    )


@contextlib.asynccontextmanager
async def captured(machine: Machine, file: Path) -> AsyncIterator[Path]:
    """Everything that passes the machine's network card, as pcap in `file`."""
    await machine.qmp.execute(
        "object-add", **{"qom-type": "filter-dump", "id": "wire", "netdev": "net0", "file": str(file)}
    )
    try:
        yield file
    finally:
        await machine.qmp.execute("object-del", id="wire")
