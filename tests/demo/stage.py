"""The stage of the demo: starts real programs, runs `conclavectl`, reads what they report.

Nothing here writes to a panel, and nothing here holds a key of a meeting.
"""

import asyncio
import contextlib
import json
import os
import secrets
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bus.bus import PrivateBus
from tests.demo.overview import Overview
from tests.pebble import Pebble
from tests.pki import TestAuthority

BIN = Path(sys.executable).parent
START_TIMEOUT_S = 90.0
COMMAND_TIMEOUT_S = 180.0
POLL_S = 0.2


class StageError(Exception):
    """A program did not do what it should; the message says where its words are."""


@dataclass(frozen=True, slots=True)
class Part:
    """Who plays: a room's name, the loopback address that its domain leads to, its tone, and its hardware."""

    domain: str
    loopback: str
    frequency_hz: int
    challenge: str = "http-01"
    picture: tuple[int, int, int] = (640, 360, 15)
    """Width, height and pictures in a second of its camera."""
    screen: str = 'driver = "simulated"'
    """The keys of its screen in hal.toml."""


@dataclass(eq=False)
class RoomProcess:
    """A room on the stage: its own bus, its own `conclaved`, its own folder."""

    part: Part
    folder: Path
    bus: PrivateBus
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)
    last_error: str = ""

    @property
    def name(self) -> str:
        return self.part.domain

    async def ctl(self, *words: str) -> Any:
        """Run `conclavectl` on this room and return its JSON. Raises StageError with its one line."""
        process = await asyncio.create_subprocess_exec(
            str(BIN / "conclavectl"),
            *words,
            "--json",
            env={**os.environ, "CONCLAVE_BUS": self.bus.address},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            out, err = await process.communicate()
        if process.returncode != 0:
            raise StageError(
                f"{self.name}: conclavectl {' '.join(words[:2])}: exit {process.returncode}: "
                f"{out.decode().strip()} {err.decode().strip()} (log: {self.folder / 'conclaved.log'})"
            )
        return json.loads(out)

    @property
    def panel_url(self) -> str:
        """The address of the panel's page."""
        return (self.folder / "panel-url").read_text().strip()

    async def panel(self) -> dict[str, Any]:
        """What is on the panel's glass now."""
        return await asyncio.to_thread(self._read_panel)

    def _read_panel(self) -> dict[str, Any]:
        base, _, query = self.panel_url.partition("?")
        url = base.rstrip("/") + "/view.json" + (f"?{query}" if query else "")
        with urllib.request.urlopen(url, timeout=10) as answer:
            view: dict[str, Any] | None = json.load(answer)
        return view or {}

    async def streams(self) -> list[dict[str, Any]]:
        """The media of this room, as `conclavectl hardware` counts it."""
        answer = await self.ctl("hardware")
        streams: list[dict[str, Any]] = answer["hardware"]["streams"]
        return streams


@dataclass(eq=False)
class Stage:
    """Everything that runs."""

    folder: Path
    public_ca: Pebble
    provider_ca: Pebble
    hub_url: str
    capture: Path
    overview: Overview
    _stack: contextlib.AsyncExitStack
    _ca_file: Path
    hub: asyncio.subprocess.Process | None = None
    address: str = "127.0.0.1"

    @property
    def hub_ca(self) -> Path:
        """The roots of the hub's certificate."""
        return self._ca_file

    async def start_hub(self, *, listen: str = "", state: Path | None = None) -> None:
        """Start the hub, or start it again where it was; `state` is where it keeps invitations."""
        listen = listen or f"{self.address}:0"
        folder = self.folder / "hub"
        words = ["--listen", listen, "--capture", str(self.capture)]
        words += ["--cert", str(folder / "server.pem"), "--key", str(folder / "server.key")]
        words += [] if state is None else ["--state", str(state)]
        log = folder / "hub.log"
        # Not stopped in its turn: however often it was started, the rooms say goodbye to it first.
        self.hub = await self.start(
            log, "-m", "conclaved.conference.hub", *words, first_line=True, is_stopped_in_turn=False
        )
        said = await first_line(self.hub, log)
        self.hub_url = f"wss://{self.address}:{said['port']}"

    async def stop_hub(self) -> None:
        """Stop the hub, if it still runs."""
        if self.hub is not None:
            await _stop(self.hub)

    async def room(
        self, part: Part, *, ca: Pebble, is_providers: bool = False, admins: tuple[str, ...] = ()
    ) -> RoomProcess:
        """Start a room: bus, http-01 helper, `conclaved`. Returns when its API answers.

        If it `is_providers`, `ca` is the conference provider's, where a room gets a certificate by itself.
        `admins` are the public keys that the image brings.
        """
        folder = self.folder / part.domain
        folder.mkdir()
        await ca.add_a(part.domain, part.loopback)
        bus = await self._stack.enter_async_context(PrivateBus())
        room = RoomProcess(part, folder, bus)
        _write_config(room, ca, self._ca_file, self.hub_url, self.overview.origin, is_providers=is_providers)
        if admins:
            with (folder / "conclave.toml").open("a") as config:
                config.write(f"\n[access]\nkeys = {json.dumps(admins)}\n")
        tokens = folder / "run/acme-challenge"
        tokens.mkdir(parents=True)
        await self.start(
            folder / "http-01.log",
            "-m",
            "conclave_provisioning.enrollment.http01",
            "--directory",
            str(tokens),
            "--listen",
            f"{part.loopback}:{ca.http_port}",
        )
        await self.start_daemon(room)
        await until(
            lambda: _answers(room),
            f"{part.domain} to answer on its bus",
            START_TIMEOUT_S,
            show=lambda: room.last_error,
        )
        return room

    async def start_daemon(self, room: RoomProcess, log: str = "conclaved.log") -> None:
        """Start this room's `conclaved`, or start it again as systemd would."""
        room.process = await self.start(
            room.folder / log,
            *("-m", "conclaved.service", "--config", str(room.folder / "conclave.toml")),
            environment={"CREDENTIALS_DIRECTORY": str(room.folder / "credentials")},
        )

    async def start(
        self,
        log: Path,
        *words: str,
        environment: dict[str, str] | None = None,
        first_line: bool = False,
        is_stopped_in_turn: bool = True,
        stdin: int = asyncio.subprocess.DEVNULL,
    ) -> asyncio.subprocess.Process:
        """Start a Python program of ours; `log` gets what it says. What was started last is stopped first."""
        output = self._stack.enter_context(log.open("ab"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *words,
            env={**_environment(), **(environment or {})},
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE if first_line else output,
            stderr=output,
        )
        if is_stopped_in_turn:
            self._stack.push_async_callback(_stop, process)
        return process


@contextlib.asynccontextmanager
async def stage(folder: Path, *, address: str = "127.0.0.1") -> AsyncIterator[Stage]:
    """Two ACME servers (a public CA, the provider's) and the hub; rooms come by `Stage.room`.

    The CAs' APIs and the hub listen on `address`, which is one of this machine's.
    """
    async with contextlib.AsyncExitStack() as stack:
        public_ca, provider_ca = await asyncio.gather(
            stack.enter_async_context(Pebble(folder / "public-ca", address=address)),
            stack.enter_async_context(Pebble(folder / "provider-ca", address=address)),
        )
        (folder / "public-root.pem").write_text(public_ca.root_pem)
        (folder / "provider-root.pem").write_text(provider_ca.root_pem)
        operator = TestAuthority("Hub operator")
        hub_folder = folder / "hub"
        hub_folder.mkdir()
        operator.server_files(hub_folder, ips=(address,))
        ca_file = folder / "hub-ca.pem"
        ca_file.write_text(operator.root_pem)
        overview = await stack.enter_async_context(Overview().serve())
        capture = hub_folder / "capture"
        it = Stage(folder, public_ca, provider_ca, "", capture, overview, stack, ca_file, address=address)
        stack.push_async_callback(it.stop_hub)
        await it.start_hub()
        yield it


async def first_line(process: asyncio.subprocess.Process, log: Path) -> dict[str, Any]:
    """The line of JSON that a program says when it is ready. Raises StageError if it ends before."""
    assert process.stdout is not None
    async with asyncio.timeout(START_TIMEOUT_S):
        line = await process.stdout.readline()
    if not line:
        raise StageError(f"a program did not start; see {log}")
    said: dict[str, Any] = json.loads(line)
    return said


async def until(
    check: Callable[[], Any], what: str, timeout_s: float = 60.0, *, show: Callable[[], str] = lambda: ""
) -> Any:
    """Wait until `check` (async) gives something true, and return it. Raises StageError."""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                found = await check()
                if found:
                    return found
                await asyncio.sleep(POLL_S)
    except TimeoutError as error:
        raise StageError(f"waited {timeout_s:g} s for {what}. {show()}") from error


async def _answers(room: RoomProcess) -> bool:
    assert room.process is not None
    if room.process.returncode is not None:
        log = (room.folder / "conclaved.log").read_text()
        raise StageError(f"{room.name}: conclaved ended: {log[-2000:]}")
    try:
        await room.ctl("status")
    except StageError as error:
        room.last_error = str(error)
        return False
    return True


def _environment() -> dict[str, str]:
    """Ours, but that Python may keep bytecode: an installed daemon does not compile itself at each start."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _write_config(
    room: RoomProcess, ca: Pebble, service_ca: Path, service: str, framed_by: str, *, is_providers: bool
) -> None:
    folder, part = room.folder, room.part
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    (credentials / "wrapping-key").write_bytes(secrets.token_bytes(32))
    quote = json.dumps  # a JSON string is a TOML string
    table = f"[provider]\ndomain = {quote(part.domain)}" if is_providers else "[acme]"
    (folder / "conclave.toml").write_text(
        f"""state_directory = {quote(str(folder / "state"))}
runtime_directory = {quote(str(folder / "run"))}
hal = {quote(str(folder / "hal.toml"))}
join_countdown_s = 1

[bus]
address = {quote(room.bus.address)}

{table}
directory_url = {quote(ca.directory_url)}
ca_file = {quote(str(ca.ca_file))}
dns_hook = {quote(str(ca.dns_hook))}
agree_terms = true
challenge = {quote(part.challenge)}

[conference]
service = {quote(service)}

[service]
ca_file = {quote(str(service_ca))}
"""
    )
    (folder / "hal.toml").write_text(
        f"""[camera]
driver = "simulated"
name = {quote(part.domain)}
width = {part.picture[0]}
height = {part.picture[1]}
fps = {part.picture[2]}

[camera_control]
driver = "simulated"

[microphone]
driver = "simulated"
frequency_hz = {part.frequency_hz}

[screen]
{part.screen}

[speaker]
driver = "simulated"

[panel]
driver = "simulated"
url_file = {quote(str(folder / "panel-url"))}
people_unmute = true
framed_by = {quote(framed_by)}

[privacy_switch]
driver = "simulated"

[mute_switch]
driver = "simulated"

[tamper]
driver = "simulated"

[indicator]
driver = "simulated"

[buttons]
driver = "simulated"
"""
    )
