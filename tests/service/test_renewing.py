"""The certificate is renewed in time by the CA that issued it, and by nobody else."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from conclave_provisioning.enrollment import RenewalWatch, StateError
from conclave_provisioning.enrollment.renewal_file import RenewalFile
from conclaved.bus.room import EnrollmentRequest, RoomError, RoomErrorKind
from conclaved.identity import BelievedClock, KeyStore, SealedBackend
from conclaved.service.config import AcmeConfig, Config, ProviderConfig
from conclaved.service.enrolling import Enrolling, provider_domain
from conclaved.service.origin_file import Origin, OriginFile
from conclaved.service.renewing import Renewing, warning_of
from conclaved.service.waiting_request import WaitingRequest
from tests.pebble import Pebble, free_ports
from tests.service.rooms import DEADLINE_S, PUBLIC_CA

DOMAIN = "room.example.com"
DAY_S = 86400
RENEWAL_FILE = "renewal.json"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ca(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pebble]:
    async with Pebble(tmp_path_factory.mktemp("ca") / "pebble", nonce_reject=0) as running:
        yield running


class Device:
    """The identity of a room, at a CA; `is_synchronised` says whether its clock is believed."""

    def __init__(self, folder: Path, ca: Pebble | None, **changes: object) -> None:
        directory_url = f"https://127.0.0.1:{free_ports(1)[0]}/dir" if ca is None else ca.directory_url
        self.acme = AcmeConfig(
            directory_url=directory_url,
            agree_terms=True,
            challenge="dns-01",
            ca_file=None if ca is None else ca.ca_file,
            dns_hook=folder / "no-hook" if ca is None else ca.dns_hook,
        )
        config = Config(state_directory=folder, runtime_directory=folder / "run", acme=self.acme)
        self.config = replace(config, **changes)  # type: ignore[arg-type]
        self.config.token_directory.mkdir(parents=True, exist_ok=True)
        self.keys = KeyStore(folder / "identity", SealedBackend(bytes(32)))
        self.is_synchronised = True
        self.news = asyncio.Event()
        self.attempts = 0
        self.enrolling = Enrolling(self.config, self.keys, self.news.set, self._renewed)
        clock = BelievedClock(
            time.time, built_at=int(time.time()) - 1, is_synchronised=lambda: self.is_synchronised
        )
        self.renewing = Renewing(self.enrolling, clock, wall=time.time, changed=self.news.set)

    async def _renewed(self) -> None:
        self.renewing.look_again()

    async def grow_old(self, *, method: str = "acme") -> bytes:
        """Have a certificate that was to be renewed days ago, and for which nothing was tried lately."""
        key = self.keys.signer().certificate_public_key
        now = int(time.time())
        self.keys.install_chain(
            PUBLIC_CA.issue(key, dns=[DOMAIN], not_before=now - 40 * DAY_S, not_after=now + 5 * DAY_S)
        )
        self.enrolling.own.reload()
        self.enrolling.note_origin(method)
        settings = self.acme.settings(self.config.token_directory, "", "")
        watch = RenewalWatch(
            settings, self.config.state_directory / "acme", clock=lambda: time.time() - 2 * DAY_S
        )
        await watch.look(self.enrolling.chain[0])
        return self.enrolling.chain[0]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.renewing.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.enrolling.close()

    async def until(self, state: str) -> None:
        """Wait until the identity is in a state, with nothing under way."""
        async with asyncio.timeout(DEADLINE_S):
            while self.enrolling.status().state != state:
                self.news.clear()
                await self.news.wait()


async def test_an_old_certificate_is_renewed_by_itself_and_then_left_alone(
    tmp_path: Path, ca: Pebble
) -> None:
    device = Device(tmp_path, ca)
    old = await device.grow_old()
    async with device.running(), asyncio.timeout(DEADLINE_S):
        while device.enrolling.chain[0] == old or device.renewing.renew_at <= time.time():
            device.news.clear()
            await device.news.wait()
    status = device.enrolling.status()
    assert (status.state, status.domain, status.method) == ("enrolled", DOMAIN, "acme")
    assert device.renewing.renew_at > time.time() + 10 * DAY_S
    assert status.issuer.startswith("CN=Pebble Intermediate CA")


@pytest.mark.parametrize("method", ["csr", "import"])
async def test_what_an_admin_carried_in_is_not_renewed(tmp_path: Path, ca: Pebble, method: str) -> None:
    device = Device(tmp_path, ca)
    await device.grow_old(method=method)
    assert device.enrolling.renewal() == (None, None)
    with pytest.raises(RoomError) as caught:
        device.renewing.ask(is_forced=True)
    assert caught.value.kind is RoomErrorKind.NOT_FOUND


async def test_a_certificate_that_came_another_way_since_is_nobodys_by_the_old_word(
    tmp_path: Path, ca: Pebble
) -> None:
    device = Device(tmp_path, ca)
    await device.grow_old(method="csr")
    device.keys.install_chain(PUBLIC_CA.issue(device.keys.signer().public_key, dns=[DOMAIN]))
    device.enrolling.own.reload()
    assert device.enrolling.status().method == ""


async def test_without_a_believed_clock_nothing_is_renewed(tmp_path: Path, ca: Pebble) -> None:
    device = Device(tmp_path, ca)
    await device.grow_old()
    device.is_synchronised = False
    await device.renewing._step()
    assert device.enrolling.status().state == "enrolled"
    device.is_synchronised = True
    await device.renewing._step()
    await device.enrolling.idle()
    assert device.enrolling.status().issuer.startswith("CN=Pebble Intermediate CA")


async def test_a_ca_that_is_not_there_is_asked_once_and_then_with_patience(tmp_path: Path) -> None:
    device = Device(tmp_path, None)
    old = await device.grow_old()
    async with device.running():
        await device.until("failed")
    assert device.enrolling.chain[0] == old
    assert device.enrolling.status().error_kind == "unreachable"
    # After a restart too: the wait is on the disk.
    again = Device(tmp_path, None)
    await again.renewing._step()
    assert again.enrolling.status().state == "enrolled"
    assert again.renewing.renew_at > time.time() + 10


async def test_what_was_asked_for_without_a_network_is_had_once_there_is_one(
    tmp_path: Path, ca: Pebble
) -> None:
    dark = Device(tmp_path, None)
    dark.enrolling.start(EnrollmentRequest(DOMAIN), is_kept=True)
    await dark.until("failed")
    assert "asked for again by itself" in dark.enrolling.problems()[0]
    # A restart, as long after as it takes.
    lit = Device(tmp_path, ca)
    (tmp_path / "acme" / RENEWAL_FILE).unlink()
    async with lit.running():
        await lit.until("enrolled")
    assert (lit.enrolling.domain, lit.enrolling.waiting) == (DOMAIN, None)


async def test_what_was_asked_for_waits_as_long_as_after_any_attempt_that_reached_nobody(
    tmp_path: Path,
) -> None:
    device = Device(tmp_path, None)
    device.enrolling.start(EnrollmentRequest(DOMAIN), is_kept=True)
    await device.until("failed")
    assert 5 < await device.renewing._step() <= 16


async def test_what_was_asked_for_is_not_asked_again_once_it_was_refused(tmp_path: Path, ca: Pebble) -> None:
    device = Device(tmp_path, ca)
    hook = tmp_path / "fails"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    device.enrolling.configure(replace(device.config, acme=replace(device.acme, dns_hook=hook)))
    device.enrolling.start(EnrollmentRequest(DOMAIN), is_kept=True)
    await device.until("failed")
    assert device.enrolling.waiting is None
    assert Device(tmp_path, ca).enrolling.waiting is None


async def test_what_was_asked_for_is_given_up_with_the_domain_that_it_was_for(tmp_path: Path) -> None:
    device = Device(tmp_path, None)
    device.enrolling.start(EnrollmentRequest(DOMAIN), is_kept=True)
    await device.until("failed")
    device.enrolling.configure(replace(device.config, identity_domain=DOMAIN))
    assert device.enrolling.waiting == EnrollmentRequest(DOMAIN)
    device.enrolling.configure(replace(device.config, identity_domain="other.example.com"))
    assert device.enrolling.waiting is None


async def test_an_attempt_whose_failure_cannot_be_remembered_is_not_repeated_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Device(tmp_path, None)

    def full(self: RenewalFile, state: object) -> None:
        raise StateError("the disk is full")

    device.enrolling.start(EnrollmentRequest(DOMAIN), is_kept=True)
    await device.until("failed")
    monkeypatch.setattr(RenewalFile, "save", full)
    (tmp_path / "acme" / RENEWAL_FILE).unlink()
    assert await device.renewing._step() > 1
    monkeypatch.setattr(device.enrolling, "start", None)  # Not called.
    assert await device.renewing._step() > 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"domain": 1}', b'{"other": ""}', bytes(100_000)])
def test_a_damaged_request_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "request").write_bytes(content)
    assert WaitingRequest(tmp_path / "request").request is None


async def test_it_is_not_renewed_before_its_time_unless_somebody_insists(tmp_path: Path, ca: Pebble) -> None:
    device = Device(tmp_path, ca)
    device.enrolling.start(EnrollmentRequest(DOMAIN))
    await device.enrolling.idle()
    first = device.enrolling.chain[0]
    await device.renewing._step()
    assert device.renewing.ask(is_forced=False) is False
    assert device.renewing.ask(is_forced=True) is True
    await device.enrolling.idle()
    assert device.enrolling.chain[0] != first


async def test_the_ca_that_was_named_once_renews(tmp_path: Path, ca: Pebble) -> None:
    device = Device(tmp_path, ca)
    elsewhere = replace(device.config, acme=replace(device.acme, directory_url="https://ca.example/dir"))
    device.enrolling.configure(elsewhere)
    device.enrolling.start(EnrollmentRequest(DOMAIN, directory_url=ca.directory_url))
    await device.enrolling.idle()
    settings, request = device.enrolling.renewal()
    assert settings is not None
    assert request is not None
    assert settings.directory_url == ca.directory_url


async def test_a_room_without_a_domain_gets_the_providers_certificate_by_itself(
    tmp_path: Path, ca: Pebble
) -> None:
    device = Device(tmp_path, ca)
    provider = ProviderConfig("device7.provider.example", device.acme)
    device.enrolling.configure(replace(device.config, provider=provider))
    async with device.running():
        await device.until("enrolled")
    status = device.enrolling.status()
    assert (status.domain, status.method) == ("device7.provider.example", "provider")
    _, request = device.enrolling.renewal()
    assert request is not None
    assert request.is_provider


@pytest.mark.parametrize(
    "changes", [{"identity_domain": DOMAIN}, {"identity_method": "csr"}, {"provider": ProviderConfig()}]
)
async def test_a_room_that_is_to_have_a_domain_of_its_own_does_not_ask_the_provider(
    tmp_path: Path, ca: Pebble, changes: dict[str, object]
) -> None:
    device = Device(tmp_path, ca)
    provider = ProviderConfig("device7.provider.example", device.acme)
    device.enrolling.configure(replace(device.config, **{"provider": provider, **changes}))  # type: ignore[arg-type]
    assert device.enrolling.renewal() == (None, None)


def test_the_providers_name_takes_the_serial_number_as_a_label() -> None:
    assert provider_domain("{serial}.provider.example", "VRM 12/0007") == "vrm-12-0007.provider.example"
    assert provider_domain("{serial}.provider.example", "///") == ""
    assert provider_domain("fixed.provider.example", "1") == "fixed.provider.example"
    assert len(provider_domain("{serial}.p.example", "a" * 200).split(".")[0]) == 63


async def test_a_revoked_certificate_is_given_up_with_its_key_and_the_account_stays(
    tmp_path: Path, ca: Pebble
) -> None:
    device = Device(tmp_path, ca)
    device.enrolling.start(EnrollmentRequest(DOMAIN))
    await device.enrolling.idle()
    key, account = device.keys.signer().public_key, device.keys.account_signer().public_key
    report = await device.enrolling.revoke("keyCompromise", is_in_use=False)
    assert report.changed
    assert device.enrolling.status().state == "none"
    assert device.keys.account_signer().public_key == account
    device.enrolling.start(EnrollmentRequest(DOMAIN))
    await device.enrolling.idle()
    assert device.enrolling.status().state == "enrolled"
    assert device.keys.signer().public_key != key


async def test_in_a_meeting_nothing_is_revoked(tmp_path: Path, ca: Pebble) -> None:
    device = Device(tmp_path, ca)
    await device.grow_old()
    with pytest.raises(RoomError) as caught:
        await device.enrolling.revoke("", is_in_use=True)
    assert caught.value.kind is RoomErrorKind.BUSY
    assert device.enrolling.chain


async def test_no_account_key_lies_readable_beside_the_orders(tmp_path: Path, ca: Pebble) -> None:
    device = Device(tmp_path, ca)
    folder = tmp_path / "acme"
    folder.mkdir()
    for name in ("account.key", "account.json"):
        (folder / name).write_text("from before")
    device.enrolling.start(EnrollmentRequest(DOMAIN))
    await device.enrolling.idle()
    assert device.enrolling.status().state == "enrolled"
    assert not list(folder.glob("*.key"))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"certificate": 1}', bytes(100_000)])
def test_a_damaged_word_about_the_origin_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "origin").write_bytes(content)
    assert OriginFile(tmp_path / "origin").load() == Origin()


@pytest.mark.parametrize(
    ("days", "left_days", "is_in_time", "words"),
    [
        (47, 20, False, ""),
        (47, 6.5, True, ""),
        (47, 6.5, False, "in 6 days"),
        (47, 1.5, False, "within two days"),
        (47, 0.5, False, "today"),
        (47, -0.1, True, "has expired"),
        (6, 1.3, False, ""),
        (6, 1.1, False, "within two days"),
    ],
)
def test_people_in_the_room_are_told_of_a_certificate_that_is_not_renewed(
    days: float, left_days: float, is_in_time: bool, words: str
) -> None:
    end = 1_800_000_000
    begin, now = end - int(days * DAY_S), end - int(left_days * DAY_S)
    warning = warning_of(begin, end, now, is_in_time=is_in_time)
    assert words in warning
    assert bool(words) == bool(warning)


async def test_a_failed_renewal_near_the_end_is_a_warning(tmp_path: Path) -> None:
    device = Device(tmp_path, None)
    await device.grow_old()
    assert "and was not renewed" in device.renewing.warning
