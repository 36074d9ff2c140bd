"""Starting an enrollment: what cannot even begin, and what an unexpected fault looks like."""

import asyncio
import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from conclave_provisioning.enrollment import Certificate, Enrollment
from conclaved.bus.room import EnrollmentRequest, RoomError, RoomErrorKind
from conclaved.identity import KeyStore, SealedBackend, Signer
from conclaved.service import waiting_request
from conclaved.service.config import AcmeConfig, Config
from conclaved.service.enrolling import Enrolling
from tests.pebble import free_ports
from tests.service.rooms import DEADLINE_S, PUBLIC_CA

CA = "https://ca.example/dir"


class Enrollee:
    """An `Enrolling` and the news it told."""

    def __init__(
        self, folder: Path, *, is_enrolled: bool = False, directory_url: str = CA, **wanted: str
    ) -> None:
        self.folder = folder
        self.keys = KeyStore(folder / "identity", SealedBackend(bytes(32)))
        if is_enrolled:
            key = self.keys.signer().certificate_public_key
            self.keys.install_chain(PUBLIC_CA.issue(key, dns=["old.example.com"]))
        self.news = asyncio.Event()
        config = Config(
            state_directory=folder,
            runtime_directory=folder / "run",
            acme=AcmeConfig(directory_url=directory_url, agree_terms=True),
            identity_domain=wanted.get("domain", ""),
            identity_method=wanted.get("method", "acme"),
        )
        self.config = config
        config.token_directory.mkdir(parents=True)
        self.renewals = 0
        self.it = Enrolling(config, self.keys, self.news.set, self.renewed)

    async def renewed(self) -> None:
        assert self.it.chain == self.keys.chain()
        self.renewals += 1

    async def ended(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.it.status().state == "enrolling":
                self.news.clear()
                await self.news.wait()


@pytest.mark.parametrize(
    ("is_enrolled", "wanted", "told"),
    [
        (False, {}, ["no certificate yet: conclavectl identity enroll DOMAIN"]),
        (
            False,
            {"domain": "new.example.com"},
            ["no certificate yet: conclavectl identity enroll new.example.com"],
        ),
        (
            False,
            {"domain": "new.example.com", "method": "csr"},
            ["no certificate yet: conclavectl identity csr new.example.com"],
        ),
        (True, {}, []),
        (True, {"domain": "OLD.example.com"}, []),
        (
            True,
            {"domain": "new.example.com"},
            [
                "the certificate is for old.example.com, and the room is to have new.example.com: "
                "conclavectl identity enroll new.example.com"
            ],
        ),
    ],
)
async def test_it_is_told_what_gets_the_room_the_certificate_that_it_lacks(
    tmp_path: Path, is_enrolled: bool, wanted: dict[str, str], told: list[str]
) -> None:
    assert Enrollee(tmp_path, is_enrolled=is_enrolled, **wanted).it.problems() == told


BAD: dict[str, EnrollmentRequest] = {
    "no domain": EnrollmentRequest(""),
    "an address": EnrollmentRequest("192.0.2.1"),
    "a wildcard": EnrollmentRequest("*.example.com"),
    "a mail address": EnrollmentRequest("me@example.com"),
    "another challenge": EnrollmentRequest("room.example.com", challenge="tls-sni-01"),
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


async def test_where_no_ca_is_set_it_is_told_how_to_set_one(tmp_path: Path) -> None:
    with pytest.raises(RoomError, match="no CA is set") as caught:
        Enrollee(tmp_path, directory_url="").it.start(EnrollmentRequest("room.example.com"))
    assert caught.value.hint == "conclavectl config set acme.directory_url URL acme.agree_terms true"


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
    assert enrollee.renewals == 0
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


@pytest.mark.parametrize(
    ("wanted", "state"), [("old.example.com", "enrolled"), ("new.example.com", "failed")]
)
async def test_a_failure_is_told_no_longer_once_the_admin_wants_another_domain(
    tmp_path: Path, wanted: str, state: str
) -> None:
    url = f"https://127.0.0.1:{free_ports(1)[0]}/dir"
    enrollee = Enrollee(tmp_path, is_enrolled=True, directory_url=url)
    enrollee.it.start(EnrollmentRequest("new.example.com"))
    await enrollee.ended()
    enrollee.it.configure(replace(enrollee.config, identity_domain=wanted))
    status = enrollee.it.status()
    assert (status.state, bool(status.error)) == (state, state == "failed")


async def test_a_disk_that_takes_no_request_is_told_of_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrollee = Enrollee(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(waiting_request, "write_atomically", full)
    with pytest.raises(RoomError, match="No space left on device") as caught:
        enrollee.it.start(EnrollmentRequest("room.example.com"), is_kept=True)
    assert "conclavectl doctor" in caught.value.hint
    assert (enrollee.it.status().state, enrollee.it.waiting) == ("none", None)


async def test_one_enrollment_at_a_time(tmp_path: Path) -> None:
    enrollee = Enrollee(tmp_path)
    enrollee.it.start(EnrollmentRequest("room.example.com"))
    with pytest.raises(RoomError) as caught:
        enrollee.it.start(EnrollmentRequest("other.example.com"))
    assert caught.value.kind is RoomErrorKind.BUSY
    assert enrollee.it.status().domain == "room.example.com"
    await enrollee.it.close()


@pytest.mark.parametrize("is_new_key", [False, True])
async def test_a_new_certificate_is_in_force_when_it_is_told_of_and_for_a_new_key_where_one_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new_key: bool
) -> None:
    enrollee = Enrollee(tmp_path, is_enrolled=True)
    before, key = enrollee.it.chain, enrollee.keys.signer().public_key

    async def enroll(enrollment: Enrollment, domain: str, signer: Signer, **_: object) -> Certificate:
        chain = tuple(PUBLIC_CA.issue(signer.certificate_public_key, dns=[domain]))
        return Certificate(domain, chain, 0, 1)

    monkeypatch.setattr(Enrollment, "enroll", enroll)
    enrollee.it.start(EnrollmentRequest("new.example.com", is_new_key=is_new_key))
    await enrollee.ended()
    assert enrollee.it.status().state == "enrolled"
    assert enrollee.renewals == 1
    assert enrollee.it.domain == "new.example.com"
    assert enrollee.it.chain != before
    assert (enrollee.keys.signer().public_key != key) is is_new_key


async def test_earlier_keys_are_erased_and_the_present_one_stays(tmp_path: Path) -> None:
    enrollee = Enrollee(tmp_path, is_enrolled=True)
    signer = enrollee.keys.next_signer()
    enrollee.keys.install_chain(PUBLIC_CA.issue(signer.certificate_public_key, dns=["new.example.com"]))
    assert len(list((tmp_path / "identity").glob("*.key"))) == 2
    await enrollee.it.forget_old_keys()
    assert len(list((tmp_path / "identity").glob("*.key"))) == 1
    assert enrollee.keys.signer().public_key == signer.public_key


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
    assert status.hint == "see: conclavectl logs"
