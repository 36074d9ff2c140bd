"""A room whose key is lost, away or in the wrong place: it runs, says so, and an enrollment mends it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from conclave_provisioning.enrollment import Certificate, Enrollment
from conclaved.bus.room import EnrollmentRequest, MeetingRequest, MeetingStatus, RoomError, RoomErrorKind
from conclaved.conference.hub import Hub
from conclaved.identity import PlainBackend, Protection, Signer
from conclaved.identity.key_backends.tpm2 import Tpm2Backend
from tests.conference.hubs import listening, make_tls
from tests.service.rooms import DEADLINE_S, PUBLIC_CA, TestRoom, running_room
from tests.soft_hsm import new_token
from tests.swtpm import Swtpm

MEETING = MeetingRequest("Weekly", "standard", (), "wss://127.0.0.1:1")


@pytest.fixture(autouse=True)
def ca(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CA that issues for whatever key asks."""

    async def enroll(enrollment: Enrollment, domain: str, signer: Signer, **_: object) -> Certificate:
        await asyncio.to_thread(signer.sign, b"a certificate request")
        return Certificate(domain, tuple(PUBLIC_CA.issue(signer.certificate_public_key, dns=[domain])), 0, 1)

    monkeypatch.setattr(Enrollment, "enroll", enroll)


async def until_looked(here: TestRoom) -> None:
    """Until the room has tried its key, as it does when it starts: then it looks for keys to forget."""
    own = here.room._enrolling.own
    await own.check()


async def until_meeting(here: TestRoom, holds: Callable[[MeetingStatus], bool]) -> None:
    """Wait until it holds, looking at each change of the room."""
    async with asyncio.timeout(DEADLINE_S):
        changes = here.room.changes()
        while not holds(here.room.meeting()):
            await anext(changes)


async def enroll(here: TestRoom) -> None:
    await here.room.enroll(EnrollmentRequest("room.example.com", "https://ca.example/dir"))
    async with asyncio.timeout(DEADLINE_S):
        while here.room.identity().state == "enrolling":  # noqa: ASYNC110
            await asyncio.sleep(0)


async def refused(here: TestRoom) -> RoomError:
    with pytest.raises(RoomError) as caught:
        await here.room.create_meeting(MEETING)
    return caught.value


def key_files(folder: Path) -> list[Path]:
    return sorted((folder / "state/identity").glob("*.key"))


@pytest.mark.parametrize("pattern", ["current", "*.key", "*.pem"])
async def test_a_room_whose_files_are_damaged_runs_without_an_identity_and_enrolls_again(
    tmp_path: Path, pattern: str
) -> None:
    async with running_room(tmp_path) as here:
        before = here.keys.signer().public_key
        here.keys.next_signer()
    for path in (tmp_path / "state/identity").glob(pattern):
        path.write_bytes(b"nonsense")
    async with running_room(tmp_path, domain="") as here:
        await until_looked(here)
        status = here.room.identity()
        assert (status.state, status.domain, status.certificates) == ("none", "", ())
        assert "identity enroll" in status.hint
        assert any(status.error in problem for problem in here.room.device().problems)
        assert (await refused(here)).kind is RoomErrorKind.NOT_ENROLLED
        await enroll(here)
        status = here.room.identity()
        assert (status.state, status.domain, status.error) == ("enrolled", "room.example.com", "")
        is_key_good = pattern == "*.pem"
        assert (here.keys.signer().public_key == before) is is_key_good


async def test_a_room_whose_tpm_was_cleared_says_that_its_key_is_gone_and_gets_another(
    tmp_path: Path,
) -> None:
    with Swtpm(tmp_path / "tpm") as tpm:
        async with running_room(tmp_path, places=[Tpm2Backend(tpm.tcti)]) as here:
            assert here.room.identity().key_protection == "tpm2"
            before = here.keys.signer().public_key
            here.keys.close()
        tpm.clear()
        async with running_room(tmp_path, domain="", places=[Tpm2Backend(tpm.tcti)]) as here:
            await until_looked(here)
            status = here.room.identity()
            assert (status.state, status.key_protection) == ("none", "none")
            assert "gone" in status.error
            await enroll(here)
            assert here.room.identity().state == "enrolled"
            assert here.room.identity().key_protection == "tpm2"
            assert here.keys.signer().public_key != before
            here.keys.close()


async def test_people_before_a_room_with_another_tpm_read_on_its_panel_why_it_cannot_meet(
    tmp_path: Path,
) -> None:
    with Swtpm(tmp_path / "tpm") as tpm:
        async with running_room(tmp_path, places=[Tpm2Backend(tpm.tcti)]) as here:
            assert here.room.panel(0).notices == ()
            here.keys.close()
        tpm.exchange()
        async with running_room(tmp_path, domain="", places=[Tpm2Backend(tpm.tcti)]) as here:
            await until_looked(here)
            assert here.room.panel(0).notices == (
                "this device's key is gone: its TPM was cleared, or is not the one that made it: "
                "tell this room's admin",
            )
            here.keys.close()


async def test_a_tpm_that_is_exchanged_while_the_room_runs_takes_its_identity_at_the_next_use(
    tmp_path: Path,
) -> None:
    with Swtpm(tmp_path / "tpm") as tpm:
        async with running_room(tmp_path, places=[Tpm2Backend(tpm.tcti)]) as here:
            await until_looked(here)
            assert here.room.identity().state == "enrolled"
            tpm.exchange()
            assert "gone" in str(await refused(here))
            assert here.room.identity().state == "none"
            assert (await refused(here)).kind is RoomErrorKind.NOT_ENROLLED
            here.keys.close()


async def test_a_token_that_is_unplugged_leaves_the_room_its_identity_and_may_come_back(
    tmp_path: Path,
) -> None:
    token = new_token(tmp_path / "token")
    async with running_room(tmp_path, places=[token.backend()]) as here:
        await until_looked(here)
        token.unplug()
        error = await refused(here)
        assert (error.kind, error.hint) == (RoomErrorKind.FAILED, "plug it in")
        assert here.room.identity().state == "enrolled"
        assert any("there is no token" in problem for problem in here.room.device().problems)
        token.plug_in()
        await until_looked(here)
        assert not any("token" in problem for problem in here.room.device().problems)
        here.keys.close()


async def test_a_token_that_is_unplugged_in_a_meeting_ends_it_with_its_own_words(tmp_path: Path) -> None:
    token = new_token(tmp_path / "token")
    (tmp_path / "hub").mkdir()
    tls = make_tls(tmp_path / "hub")
    async with (
        listening(Hub(), tls) as service,
        running_room(
            tmp_path / "host", service_ca=tls.authority, countdown_s=0, places=[token.backend()]
        ) as host,
        running_room(
            tmp_path / "guest", service_ca=tls.authority, countdown_s=0, domain="guest.example.com"
        ) as guest,
    ):
        weekly = MeetingRequest("Weekly", "standard", ("guest.example.com",), service)
        link = (await host.room.create_meeting(weekly)).link
        for room in (host, guest):
            await room.room.join_meeting(link)
            await until_meeting(room, lambda status: status.state == "in_meeting")
        await until_meeting(host, lambda status: len(status.participants) == 2)
        token.unplug()
        await until_meeting(host, lambda status: status.state == "left")
        assert "there is no token" in host.room.meeting().left_reason
        assert "plug it in" in host.room.meeting().left_reason
        token.plug_in()
        host.keys.close()


async def test_an_enrollment_that_finds_the_token_unplugged_fails_and_changes_nothing(tmp_path: Path) -> None:
    token = new_token(tmp_path / "token")
    async with running_room(tmp_path, places=[token.backend()]) as here:
        await until_looked(here)
        before = here.room.identity().fingerprint
        token.unplug()
        await enroll(here)
        status = here.room.identity()
        assert (status.state, status.fingerprint, status.hint) == ("failed", before, "plug it in")
        token.plug_in()
        here.keys.close()


async def test_the_key_moves_to_the_tpm_with_the_next_enrollment_and_the_old_one_is_erased(
    tmp_path: Path,
) -> None:
    plain = PlainBackend(is_allowed=True)
    async with running_room(tmp_path, places=[plain]) as here:
        old = here.keys.signer().public_key
    with Swtpm(tmp_path / "tpm") as tpm:
        async with running_room(tmp_path, places=[Tpm2Backend(tpm.tcti), plain]) as here:
            await until_looked(here)
            assert here.keys.signer().public_key == old
            assert any("wants another place" in problem for problem in here.room.device().problems)
            await enroll(here)
            assert here.room.identity().key_protection == "tpm2"
            assert here.keys.info.protection is Protection.TPM2
            assert here.keys.signer().public_key != old
            assert not any(b"PRIVATE" in path.read_bytes() for path in key_files(tmp_path))
            assert not any("key" in problem for problem in here.room.device().problems)
            here.keys.close()
