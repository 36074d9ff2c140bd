"""Real authoritative DNS for tests: Debian's `knot`, a primary and a secondary that follows it.

Both listen on one free port, the primary on 127.0.0.1 and the secondary on 127.0.0.2, and stop with the
context. The primary's zones take DNS UPDATE from one TSIG key, for TXT records alone.
"""

import asyncio
import base64
import contextlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.message
import dns.query

from tests.pebble import free_ports

PRIMARY, SECONDARY, NOBODY = "127.0.0.1", "127.0.0.2", "127.0.0.3"
KEY_NAME = "room.acme"
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0

_SERVER = """\
server:
  listen: {address}@{port}
  rundir: {folder}
database:
  storage: {folder}
template:
  - id: default
    storage: {folder}
log:
  - target: stderr
    any: info
remote:
  - id: primary
    address: {primary}@{port}
    via: {address}
  - id: secondary
    address: {secondary}@{port}
"""
_PRIMARY = """\
key:
  - id: {key_name}
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: update
    key: {key_name}
    action: update
    update-type: TXT
  - id: transfer
    address: {secondary}
    action: transfer
zone:
"""
_PRIMARY_ZONE = """\
  - domain: {zone}
    file: {folder}/{zone}.zone
    acl: [update, transfer]
    notify: secondary
"""
_SECONDARY = """\
acl:
  - id: notify
    address: {primary}
    action: notify
zone:
"""
_SECONDARY_ZONE = """\
  - domain: {zone}
    master: primary
    acl: notify
"""
_ZONE = """\
$TTL 60
@ SOA ns1 admin 1 3600 1 3600 1
@ NS ns1
@ NS ns2
ns1 A {primary}
ns2 A {second}
"""


class Knot:
    """Two name servers in a folder of their own. ``zones``: each zone's name and more lines of its file.

    A zone whose name begins with ``half.`` names, as its second server, an address where nobody answers.
    """

    def __init__(self, directory: Path, zones: dict[str, str]) -> None:
        self.directory = directory
        self.key_file = directory / "tsig.secret"
        self.secret = base64.b64encode(bytes(range(32))).decode()
        self.port = 0
        self._zones = zones
        self._processes: list[asyncio.subprocess.Process] = []

    @property
    def address(self) -> str:
        """The primary, `ADDRESS:PORT`."""
        return f"{PRIMARY}:{self.port}"

    async def __aenter__(self) -> Self:
        (self.port,) = free_ports(1)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(self.secret + "\n")
        try:
            for name, address in (("secondary", SECONDARY), ("primary", PRIMARY)):
                await self._spawn(name, address)
            for address in (PRIMARY, SECONDARY):
                await asyncio.to_thread(self._wait_until_it_answers, address)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def texts(self, address: str, name: str) -> list[str]:
        """The TXT records of ``name`` at one of the two servers."""
        answer = dns.query.udp(dns.message.make_query(name, "TXT"), address, timeout=5, port=self.port)
        return [
            b"".join(each.strings).decode() for rrset in answer.answer for each in rrset if rrset.rdtype == 16
        ]

    async def _spawn(self, name: str, address: str) -> None:
        folder = self.directory / name
        folder.mkdir(exist_ok=True)
        values = {
            "address": address,
            "port": self.port,
            "folder": folder,
            "primary": PRIMARY,
            "secondary": SECONDARY,
            "key_name": KEY_NAME,
            "secret": self.secret,
        }
        head, each = (_PRIMARY, _PRIMARY_ZONE) if address == PRIMARY else (_SECONDARY, _SECONDARY_ZONE)
        text = _SERVER + head
        config = text.format(**values) + "".join(each.format(zone=zone, **values) for zone in self._zones)
        for zone, lines in self._zones.items() if address == PRIMARY else ():
            second = NOBODY if zone.startswith("half.") else SECONDARY
            content = _ZONE.format(primary=PRIMARY, second=second) + lines
            (folder / f"{zone}.zone").write_text(content)
        (folder / "knot.conf").write_text(config)
        with (folder / "knot.log").open("ab") as log:
            try:
                process = await asyncio.create_subprocess_exec(
                    "/usr/sbin/knotd",
                    *("-c", str(folder / "knot.conf")),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin")},
                )
            except FileNotFoundError as error:
                raise RuntimeError("knotd is missing: apt-get install knot") from error
        self._processes.append(process)

    def _wait_until_it_answers(self, address: str) -> None:
        give_up_at = time.monotonic() + START_TIMEOUT_S
        for zone in self._zones:
            while not self._answers(address, zone):
                if time.monotonic() > give_up_at:
                    raise RuntimeError(f"knot does not answer; see the logs in {self.directory}")
                time.sleep(0.02)

    def _answers(self, address: str, zone: str) -> bool:
        try:
            answer = dns.query.udp(dns.message.make_query(zone, "SOA"), address, timeout=1, port=self.port)
        except (OSError, dns.exception.DNSException):
            return False
        return bool(answer.answer)

    async def _stop(self) -> None:
        processes, self._processes = self._processes, []
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in processes:
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                process.kill()
                await process.wait()
