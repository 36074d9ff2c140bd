"""Each check of the doctor, by itself: what it says of what it is given."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from conclaved.bus.room import IdentityStatus
from conclaved.conference.hub import Hub
from conclaved.identity import BelievedClock, KeyStore, PlainBackend, SealedBackend
from conclaved.service.config import AcmeConfig, Config
from conclaved.service.doctor import CHECKS, CheckState, Outcome, Surroundings, device, examine, network
from tests.conference.hubs import Tls, listening, make_tls

NOW = int(time.time())
DAY = 86_400
ROUTES = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
DEFAULT_ROUTE = ROUTES + "eth0 00000000 0100A8C0 0003 0 0 0 00000000 0 0 0\n"
SOCKETS = "sl local_address rem_address st\n"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def room(tmp_path: Path) -> Surroundings:
    for name in ("state", "run", "proc/net"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "proc/net/route").write_text(DEFAULT_ROUTE)
    (tmp_path / "proc/net/tcp").write_text(SOCKETS)
    (tmp_path / "hal.toml").write_text("")
    config = Config(
        state_directory=tmp_path / "state", runtime_directory=tmp_path / "run", hal=tmp_path / "hal.toml"
    )
    return Surroundings(
        config=config,
        clock=BelievedClock(time.time, built_at=NOW - DAY),
        identity=IdentityStatus(
            "enrolled",
            "room.example.com",
            not_before=NOW - 10 * DAY,
            not_after=NOW + 80 * DAY,
            issuer="CN=CA",
        ),
        keys=KeyStore(tmp_path / "identity", SealedBackend(bytes(32))),
        anchors=(("office", NOW + DAY),),
        stale_crls=(),
        devices=(("camera", "ready", ""),),
        wall=time.time,
        proc=tmp_path / "proc",
    )


def is_so(outcome: Outcome, state: CheckState, words: str) -> None:
    assert (outcome.state, words in outcome.text) == (state, True), outcome
    assert bool(outcome.command) or state in (CheckState.OK, CheckState.UNKNOWN)


@contextmanager
def https(tls: Tls, body: str, status: int = 200, ahead_s: float = 0) -> Iterator[str]:
    """A server of one answer, with a clock of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(time.time() + ahead_s, usegmt=True)

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = tls.server.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"https://localhost:{server.server_port}/dir"
        finally:
            server.shutdown()
            thread.join()


def with_acme(room: Surroundings, url: str, tls: Tls) -> Surroundings:
    acme = AcmeConfig(directory_url=url, agree_terms=True, ca_file=tls.authority)
    return replace(room, config=replace(room.config, acme=acme))


async def test_a_clock_that_is_not_believed_fails(room: Surroundings) -> None:
    is_so(await device.check_clock(room), CheckState.OK, "is believed")
    late = BelievedClock(time.time, built_at=NOW + DAY)
    is_so(await device.check_clock(replace(room, clock=late)), CheckState.FAILED, "before the last one")


async def test_a_key_is_tried_by_a_signature(room: Surroundings) -> None:
    is_so(await device.check_key(room), CheckState.UNKNOWN, "no key yet")
    room.keys.signer()
    is_so(await device.check_key(room), CheckState.OK, "is kept sealed, and signs in")


async def test_a_key_that_cannot_sign_fails_with_what_to_do(room: Surroundings, tmp_path: Path) -> None:
    room.keys.signer()
    other = KeyStore(tmp_path / "identity", SealedBackend(bytes(range(32))))
    is_so(await device.check_key(replace(room, keys=other)), CheckState.FAILED, "does not sign")


async def test_a_plain_key_is_warned_of(room: Surroundings, tmp_path: Path) -> None:
    plain = KeyStore(tmp_path / "plain", PlainBackend(is_allowed=True))
    plain.signer()
    is_so(await device.check_key(replace(room, keys=plain)), CheckState.WARNING, "who takes the disk")


@pytest.mark.parametrize(
    ("left_days", "state", "words"),
    [
        (80, CheckState.OK, "80 days left, by CN=CA"),
        (10, CheckState.WARNING, "was not renewed"),
        (-1, CheckState.FAILED, "has ended"),
    ],
)
async def test_a_certificate_is_told_by_the_life_that_it_has_left(
    room: Surroundings, left_days: int, state: CheckState, words: str
) -> None:
    identity = replace(room.identity, not_before=NOW - 70 * DAY, not_after=NOW + left_days * DAY + DAY // 2)
    is_so(await device.check_certificate(replace(room, identity=identity)), state, words)


async def test_no_certificate_fails(room: Surroundings) -> None:
    outcome = await device.check_certificate(replace(room, identity=IdentityStatus("none")))
    is_so(outcome, CheckState.FAILED, "nobody can verify this room")
    assert outcome.command == "conclavectl identity enroll DOMAIN"


@pytest.mark.parametrize(
    ("anchors", "stale", "state"),
    [
        ((("office", NOW + DAY),), (), CheckState.OK),
        ((), (), CheckState.WARNING),
        ((("office", NOW - DAY),), (), CheckState.WARNING),
        ((("office", NOW + DAY),), ("office",), CheckState.WARNING),
    ],
)
async def test_trust_is_warned_of_where_it_verifies_nobody_or_is_out_of_date(
    room: Surroundings, anchors: tuple[tuple[str, int], ...], stale: tuple[str, ...], state: CheckState
) -> None:
    assert (await device.check_trust(replace(room, anchors=anchors, stale_crls=stale))).state is state


async def test_hardware_that_failed_is_named_with_its_reason(room: Surroundings) -> None:
    is_so(await device.check_hardware(room), CheckState.OK, "well: camera")
    broken = replace(room, devices=(("camera", "failed", "no answer"), ("panel", "ready", "")))
    is_so(await device.check_hardware(broken), CheckState.FAILED, "camera is failed (no answer)")


async def test_a_speaker_without_a_voice_is_told(room: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    is_so(await device.check_voice(room), CheckState.OK, "no speaker is fitted")
    unfitted = replace(room, devices=(("speaker", "ready", "not fitted"),))
    is_so(await device.check_voice(unfitted), CheckState.OK, "no speaker is fitted")
    fitted = replace(room, devices=(("speaker", "ready", ""),))
    monkeypatch.setattr("shutil.which", lambda program: None)
    is_so(await device.check_voice(fitted), CheckState.WARNING, "espeak-ng is not installed")
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    is_so(await device.check_voice(fitted), CheckState.OK, "espeak-ng reads the code aloud")


async def test_the_device_files_of_the_hardware_are_looked_at(room: Surroundings, tmp_path: Path) -> None:
    is_so(await device.check_ports(room), CheckState.OK, "no serial")
    (tmp_path / "hal.toml").write_text(
        '[camera]\nport = "/dev/null"\n[x]\nlist = ["/dev/conclave-not-there"]'
    )
    is_so(await device.check_ports(room), CheckState.FAILED, "/dev/conclave-not-there is not there")
    (tmp_path / "hal.toml").write_text('[camera]\nport = "/dev/null"')
    is_so(await device.check_ports(room), CheckState.OK, "/dev/null")


def test_what_is_only_read_need_not_be_written_to() -> None:
    """systemd gives the daemon buttons and touch screens to read alone."""
    assert device.access_wanted(os.makedev(13, 64)) == os.R_OK
    assert device.access_wanted(os.makedev(81, 0)) == os.R_OK | os.W_OK


async def test_a_disk_that_takes_nothing_fails(room: Surroundings) -> None:
    assert (await device.check_disk(room)).state in (CheckState.OK, CheckState.WARNING)
    gone = replace(room, config=replace(room.config, state_directory=Path("/proc/conclave")))
    is_so(await device.check_disk(gone), CheckState.FAILED, "takes no file")


async def test_a_domain_without_an_address_fails(room: Surroundings) -> None:
    wrong = replace(room, identity=replace(room.identity, domain="room.invalid"))
    is_so(await network.check_dns(wrong), CheckState.FAILED, "room.invalid has no address")


def checked_by(room: Surroundings, challenge: str, **more: Any) -> Surroundings:
    return replace(
        room, config=replace(room.config, acme=replace(room.config.acme, challenge=challenge, **more))
    )


@pytest.mark.parametrize("domain", ["room.invalid", "localhost"])
async def test_where_the_ca_looks_into_dns_the_domain_needs_no_address(
    room: Surroundings, domain: str
) -> None:
    named = replace(room, identity=replace(room.identity, domain=domain))
    assert (await network.check_dns(checked_by(named, "dns-persist-01"))).state is CheckState.OK
    hooked = checked_by(named, "dns-01", dns_hook=Path("/hook"))
    assert (await network.check_dns(hooked)).state is CheckState.OK


async def test_a_certificate_that_is_carried_in_needs_no_address(room: Surroundings) -> None:
    named = replace(room, identity=replace(room.identity, domain="room.invalid"))
    by_hand = replace(named, config=replace(room.config, identity_method="csr"))
    assert (await network.check_dns(by_hand)).state is CheckState.OK
    is_so(await network.check_port_80(by_hand), CheckState.OK, "not needed")
    carried = replace(named, identity=replace(named.identity, method="csr"))
    assert (await network.check_dns(carried)).state is CheckState.OK


async def test_dns_01_without_a_way_to_write_the_zone_fails(room: Surroundings) -> None:
    found = await network.check_dns(checked_by(room, "dns-01"))
    is_so(found, CheckState.FAILED, "nothing says how this room is to write the zone")


async def test_the_domain_that_is_wanted_is_looked_up(room: Surroundings) -> None:
    wanted = replace(room, config=replace(room.config, identity_domain="new.invalid"))
    is_so(await network.check_dns(wanted), CheckState.FAILED, "new.invalid has no address")


async def test_a_domain_of_a_private_network_is_warned_of(room: Surroundings) -> None:
    local = replace(room, identity=replace(room.identity, domain="localhost"))
    is_so(await network.check_dns(local), CheckState.WARNING, "no public address")


async def test_no_domain_is_nothing_to_look_up(room: Surroundings) -> None:
    is_so(
        await network.check_dns(replace(room, identity=IdentityStatus("none"))),
        CheckState.UNKNOWN,
        "no domain",
    )


async def test_a_default_route_is_found_and_missed(room: Surroundings) -> None:
    is_so(await network.check_route(room), CheckState.OK, "eth0")
    (room.proc / "net/route").write_text(ROUTES)
    is_so(await network.check_route(room), CheckState.FAILED, "no default route")
    (room.proc / "net/ipv6_route").write_text(f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} 0 0 0 0 wlan0\n")
    is_so(await network.check_route(room), CheckState.OK, "wlan0")


async def test_port_80_is_told_as_far_as_it_can_be_seen(room: Surroundings) -> None:
    is_so(await network.check_port_80(room), CheckState.OK, "cannot be seen from here")
    (room.proc / "net/tcp").write_text(SOCKETS + "0: 00000000:0050 00000000:0000 0A\n")
    is_so(await network.check_port_80(room), CheckState.WARNING, "something listens on port 80")


async def test_the_kernels_own_tables_can_be_read(room: Surroundings) -> None:
    with socket.create_server(("127.0.0.1", 0)):
        assert (
            await network.check_port_80(replace(room, proc=Path("/proc")))
        ).state is not CheckState.UNKNOWN
    assert (await network.check_route(replace(room, proc=Path("/proc")))).state is not CheckState.UNKNOWN


async def test_a_ca_that_answers_is_well(room: Surroundings, tls: Tls) -> None:
    with https(tls, '{"newOrder": "x"}') as url:
        is_so(await network.check_acme(with_acme(room, url, tls)), CheckState.OK, "answers; this clock is")


@pytest.mark.parametrize(("ahead_s", "state"), [(600, CheckState.WARNING), (-90_000, CheckState.FAILED)])
async def test_a_clock_that_differs_from_the_cas_is_told(
    room: Surroundings, tls: Tls, ahead_s: float, state: CheckState
) -> None:
    with https(tls, '{"newOrder": "x"}', ahead_s=ahead_s) as url:
        is_so(await network.check_acme(with_acme(room, url, tls)), state, "this clock is")


@pytest.mark.parametrize(("body", "status"), [("[]", 200), ('{"newOrder": "x"}', 404)])
async def test_what_is_no_ca_fails(room: Surroundings, tls: Tls, body: str, status: int) -> None:
    with https(tls, body, status) as url:
        is_so(await network.check_acme(with_acme(room, url, tls)), CheckState.FAILED, "is no ACME directory")


async def test_a_ca_whose_certificate_is_not_believed_fails(room: Surroundings, tls: Tls) -> None:
    with https(tls, "{}") as url:
        acme = AcmeConfig(directory_url=url, agree_terms=True)
        unsafe = replace(room, config=replace(room.config, acme=acme))
        is_so(await network.check_acme(unsafe), CheckState.FAILED, "no certificate that this device believes")


async def test_a_ca_that_is_not_there_fails(room: Surroundings, tls: Tls) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    outcome = await network.check_acme(with_acme(room, f"https://localhost:{port}/dir", tls))
    is_so(outcome, CheckState.FAILED, "cannot be reached: Connection refused")


async def test_a_conference_service_is_reached_and_missed(room: Surroundings, tls: Tls) -> None:
    is_so(await network.check_conference(room), CheckState.UNKNOWN, "no conference service")
    async with listening(Hub(), tls) as address:
        config = replace(room.config, conference_service=address, service_ca=tls.authority)
        is_so(await network.check_conference(replace(room, config=config)), CheckState.OK, "answers")
        unsafe = replace(room, config=replace(config, service_ca=None))
        is_so(await network.check_conference(unsafe), CheckState.FAILED, "no certificate that")
    is_so(
        await network.check_conference(replace(room, config=config)), CheckState.FAILED, "cannot be reached"
    )


async def test_all_checks_are_answered_in_their_order_though_one_breaks_and_one_hangs(
    room: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(room: Surroundings) -> Outcome:
        raise ZeroDivisionError

    async def hanging(room: Surroundings) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("conclaved.service.doctor.examination.DEADLINE_S", 0.2)
    monkeypatch.setitem(CHECKS, "key", broken)
    monkeypatch.setitem(CHECKS, "acme", hanging)
    found = {check.name: check for check in await examine(room)}
    assert list(found) == list(CHECKS)
    assert (found["key"].state, found["acme"].state) == ("unknown", "unknown")
    assert "no answer within" in found["acme"].text
