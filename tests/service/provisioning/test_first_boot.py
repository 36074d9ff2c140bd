"""A room at its first boot: a stick, or a pinned server; and what does nothing to a room in use."""

import asyncio
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conclave_provisioning.cli.provisioning_file import make_signer, signer_pem
from conclaved.bus.record import Record
from conclaved.bus.room import PolicyChange
from conclaved.service.provisioning import ProvisioningError, pinned_server
from conclaved.service.provisioning_config import ProvisioningConfig
from conclaved.service.serial_number import serial_number
from tests.service.provisioning.files import DAY_S, SIGNER, STRANGER, file
from tests.service.rooms import TestRoom, running_room

DEADLINE_S = 20
SERVER = make_signer("pinned server")


def for_this_device(**other: object) -> str:
    now = int(time.time())
    given = {
        "serial": now,
        "devices": (serial_number(),),
        "not_before": now - DAY_S,
        "not_after": now + DAY_S,
    }
    return file(**{**given, **other})  # type: ignore[arg-type]


async def reached(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


class Pauses:
    """Counts the waits, and makes each short."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seen.append(seconds)
        await asyncio.sleep(0.01)


def level(here: TestRoom) -> str:
    return here.room.policy().minimum_level


def stick(folder: Path) -> ProvisioningConfig:
    return ProvisioningConfig(signers=(SIGNER.fingerprint,), folder=folder)


async def test_a_stick_that_is_there_at_the_first_boot_is_applied(tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/room.jws").write_text(for_this_device() + "\n")
    async with running_room(tmp_path, provisioning=stick(tmp_path / "stick")) as here:
        await reached(lambda: level(here) == "locked")


async def test_a_stick_that_comes_later_is_applied_too(tmp_path: Path) -> None:
    pauses = Pauses()
    async with running_room(tmp_path, provisioning=stick(tmp_path / "stick"), pause=pauses) as here:
        await reached(lambda: bool(pauses.seen))
        assert level(here) == "standard"
        (tmp_path / "stick").mkdir()
        (tmp_path / "stick/room.jws").write_text(for_this_device())
        await reached(lambda: level(here) == "locked")


async def test_a_stick_does_nothing_to_a_room_that_has_settings(tmp_path: Path) -> None:
    records: list[Record] = []
    pauses = Pauses()
    async with running_room(
        tmp_path, provisioning=stick(tmp_path / "stick"), pause=pauses, record=records.append
    ) as here:
        await reached(lambda: bool(pauses.seen))
        await here.room.set_policy(PolicyChange(requires_verified=True))
        (tmp_path / "stick").mkdir()
        (tmp_path / "stick/room.jws").write_text(for_this_device())
    async with running_room(
        tmp_path, provisioning=stick(tmp_path / "stick"), pause=pauses, record=records.append
    ) as here:
        assert level(here) == "standard"
    assert records == []


async def test_what_was_applied_and_what_was_refused_is_on_record(tmp_path: Path) -> None:
    records: list[Record] = []
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/a.jws").write_text(file(STRANGER))
    (tmp_path / "stick/b.jws").write_text(for_this_device())
    async with running_room(tmp_path, provisioning=stick(tmp_path / "stick"), record=records.append) as here:
        await reached(lambda: level(here) == "locked")
    assert [(r.verb, r.origin, r.outcome, r.changed) for r in records] == [
        ("Config.Provision", f"file {tmp_path}/stick/a.jws", "Refused", False),
        ("Config.Provision", f"file {tmp_path}/stick/b.jws", "done", True),
    ]


async def test_a_file_that_was_refused_is_not_tried_again_until_it_is_another(tmp_path: Path) -> None:
    records: list[Record] = []
    pauses = Pauses()
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/a.jws").write_text(file(STRANGER))
    async with running_room(
        tmp_path, provisioning=stick(tmp_path / "stick"), pause=pauses, record=records.append
    ) as here:
        await reached(lambda: len(pauses.seen) >= 3)
        assert len(records) == 1
        (tmp_path / "stick/a.jws").write_text(for_this_device())
        await reached(lambda: level(here) == "locked")


async def test_a_file_that_is_too_early_is_tried_until_it_is_not(tmp_path: Path) -> None:
    records: list[Record] = []
    pauses = Pauses()
    clock = [float(int(time.time()))]
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/a.jws").write_text(for_this_device(not_before=int(clock[0]) + 1000))
    async with running_room(
        tmp_path,
        provisioning=stick(tmp_path / "stick"),
        pause=pauses,
        record=records.append,
        read_clock=lambda: clock[0],
    ) as here:
        await reached(lambda: len(pauses.seen) >= 3)
        assert [record.reason for record in records] == ["the file is not yet good"]
        clock[0] += 2000
        await reached(lambda: level(here) == "locked")


async def test_a_pipe_on_a_stick_does_not_keep_the_room_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    os.mkfifo(tmp_path / "stick/a.jws")
    (tmp_path / "stick/b.jws").symlink_to("nowhere")
    (tmp_path / "stick/c.jws").write_text(for_this_device())
    async with running_room(tmp_path, provisioning=stick(tmp_path / "stick")) as here:
        await reached(lambda: level(here) == "locked")


async def test_a_room_that_is_given_a_domain_asks_for_its_certificate_itself(tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    settings = 'identity.domain = "room.example.com"\nacme = {agree_terms = true, directory_url = "https://127.0.0.1:9/dir"}\n'
    (tmp_path / "stick/room.jws").write_text(for_this_device(settings=settings))
    async with running_room(tmp_path, domain="", provisioning=stick(tmp_path / "stick")) as here:
        await reached(lambda: here.room.identity().domain == "room.example.com")
        assert here.room.identity().state in ("enrolling", "failed")


@contextmanager
def https(folder: Path, answers: dict[str, bytes]) -> Iterator[tuple[int, list[str]]]:
    """A real HTTPS server with the pinned server's key; its port, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = answers.get(self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    pem = folder / "server.pem"
    pem.write_bytes(signer_pem(SERVER, ""))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()
            thread.join()


async def test_a_file_is_fetched_once_from_a_server_with_the_pinned_key(tmp_path: Path) -> None:
    with https(tmp_path, {f"/{serial_number()}.jws": for_this_device().encode()}) as (port, asked):
        config = ProvisioningConfig(
            signers=(SIGNER.fingerprint,),
            url=f"https://127.0.0.1:{port}/{{serial}}.jws",
            server_key=SERVER.fingerprint,
        )
        async with running_room(tmp_path, provisioning=config) as here:
            await reached(lambda: level(here) == "locked")
        async with running_room(tmp_path, provisioning=config):
            pass
    assert asked == [f"/{serial_number()}.jws"]


async def test_a_server_without_a_file_is_asked_ever_more_rarely(tmp_path: Path) -> None:
    pauses = Pauses()
    with https(tmp_path, {}) as (port, _):
        config = ProvisioningConfig(
            signers=(SIGNER.fingerprint,), url=f"https://127.0.0.1:{port}/", server_key=SERVER.fingerprint
        )
        async with running_room(tmp_path, provisioning=config, pause=pauses):
            await reached(lambda: len(pauses.seen) >= 4)
    assert pauses.seen[:4] == [15.0, 30.0, 60.0, 120.0]


def test_a_server_with_another_key_is_asked_nothing(tmp_path: Path) -> None:
    with https(tmp_path, {"/x.jws": b"file"}) as (port, asked):
        with pytest.raises(ProvisioningError, match="another key than the pinned one"):
            pinned_server.fetch(f"https://127.0.0.1:{port}/x.jws", STRANGER.fingerprint)
        assert asked == []


def test_an_endless_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (
        https(tmp_path, {"/x.jws": b"x" * 2_000_000}) as (port, _),
        pytest.raises(ProvisioningError, match="more than a provisioning file"),
    ):
        pinned_server.fetch(f"https://127.0.0.1:{port}/x.jws", SERVER.fingerprint)
