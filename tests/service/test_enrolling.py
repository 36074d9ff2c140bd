"""Starting an enrollment: what cannot even begin, and what an unexpected fault looks like."""

import asyncio
from pathlib import Path

import pytest

from conclaved.bus.room import EnrollmentRequest, RoomError, RoomErrorKind
from conclaved.identity import KeyStore
from conclaved.service.config import AcmeConfig, Config
from conclaved.service.enrolling import Enrolling
from tests.pebble import free_ports
from tests.service.rooms import DEADLINE_S, PUBLIC_CA

CA = "https://ca.example/dir"


class Enrollee:
    """An `Enrolling` and the news it told."""

    def __init__(self, folder: Path, *, is_enrolled: bool = False, directory_url: str = CA) -> None:
        self.folder = folder
        self.keys = KeyStore(folder / "identity", bytes(32))
        if is_enrolled:
            key = self.keys.signer().certificate_public_key
            self.keys.install_chain(PUBLIC_CA.issue(key, dns=["old.example.com"]))
        self.news = asyncio.Event()
        config = Config(
            state_directory=folder,
            runtime_directory=folder / "run",
            acme=AcmeConfig(directory_url=directory_url, agree_terms=True),
        )
        config.token_directory.mkdir(parents=True)
        self.it = Enrolling(config, self.keys, self.news.set)

    async def ended(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.it.status().state == "enrolling":
                self.news.clear()
                await self.news.wait()


BAD: dict[str, EnrollmentRequest] = {
    "no domain": EnrollmentRequest(""),
    "an address": EnrollmentRequest("192.0.2.1"),
    "a wildcard": EnrollmentRequest("*.example.com"),
    "a mail address": EnrollmentRequest("me@example.com"),
    "another challenge": EnrollmentRequest("room.example.com", challenge="tls-alpn-01"),
    "ACME without TLS": EnrollmentRequest("room.example.com", directory_url="http://ca.example/dir"),
    "dns-01 without a hook": EnrollmentRequest("room.example.com", challenge="dns-01"),
}


@pytest.mark.parametrize("request_", BAD.values(), ids=BAD.keys())
async def test_what_cannot_begin_is_an_invalid_argument_and_changes_nothing(
    tmp_path: Path, request_: EnrollmentRequest
) -> None:
    enrollee = Enrollee(tmp_path, is_enrolled=True)
    before = enrollee.it.status()
    with pytest.raises(RoomError) as caught:
        enrollee.it.start(request_)
    assert caught.value.kind is RoomErrorKind.INVALID_ARGUMENT
    assert caught.value.hint
    assert enrollee.it.status() == before


async def test_a_ca_that_is_not_there_fails_with_a_hint_and_the_old_certificate_stays(tmp_path: Path) -> None:
    url = f"https://127.0.0.1:{free_ports(1)[0]}/dir"
    enrollee = Enrollee(tmp_path, is_enrolled=True, directory_url=url)
    chain = enrollee.it.chain
    enrollee.it.start(EnrollmentRequest("new.example.com"))
    assert enrollee.it.status().state == "enrolling"
    assert enrollee.it.status().domain == "old.example.com"
    await enrollee.ended()
    status = enrollee.it.status()
    assert (status.state, status.error_kind) == ("failed", "unreachable")
    assert "new.example.com" in status.error
    assert (status.domain, status.certificates) == ("old.example.com", chain)
    assert status.not_after > 0
    assert status.hint
    assert enrollee.it.chain == chain
    assert enrollee.it.domain == "old.example.com"


async def test_a_first_enrollment_that_fails_names_the_domain_and_shows_no_certificate(
    tmp_path: Path,
) -> None:
    url = f"https://127.0.0.1:{free_ports(1)[0]}/dir"
    enrollee = Enrollee(tmp_path, directory_url=url)
    enrollee.it.start(EnrollmentRequest("new.example.com"))
    await enrollee.ended()
    status = enrollee.it.status()
    assert (status.state, status.domain) == ("failed", "new.example.com")
    assert (status.not_after, status.certificates) == (0, ())
    assert enrollee.it.domain == ""


async def test_one_enrollment_at_a_time(tmp_path: Path) -> None:
    enrollee = Enrollee(tmp_path)
    enrollee.it.start(EnrollmentRequest("room.example.com"))
    with pytest.raises(RoomError) as caught:
        enrollee.it.start(EnrollmentRequest("other.example.com"))
    assert caught.value.kind is RoomErrorKind.BUSY
    assert enrollee.it.status().domain == "room.example.com"
    await enrollee.it.close()


async def test_a_fault_of_the_device_is_shown_as_a_failure_and_not_as_the_old_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrollee = Enrollee(tmp_path, is_enrolled=True)

    def broken() -> None:
        raise OSError("the token was unplugged")

    monkeypatch.setattr(enrollee.keys, "signer", broken)
    enrollee.it.start(EnrollmentRequest("room.example.com"))
    await enrollee.ended()
    status = enrollee.it.status()
    assert (status.state, status.error_kind) == ("failed", "failed")
    assert "OSError" in status.error
    assert status.hint == "see: journalctl -u conclaved"
