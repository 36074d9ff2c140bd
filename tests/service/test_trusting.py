"""Whom a room believes: blocks at once, lists of revoked certificates, and what a restart keeps of them."""

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.identity import Assurance, SoftwareSigner
from conclaved.service.config import ConfigError
from conclaved.service.crl_files import CRL_DIRECTORY
from tests.crl import crl_of, serial_of
from tests.pki import TestAuthority
from tests.service.rooms import PUBLIC_CA, TestRoom, running_room

GUEST = SoftwareSigner.generate()
CHAIN = PUBLIC_CA.issue(GUEST.certificate_public_key, dns=["guest.example.com"])
FINGERPRINT = "ab" * 32


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[TestRoom]:
    async with running_room(tmp_path) as room:
        yield room


def assurance(here: TestRoom) -> Assurance:
    return here.room._assess(CHAIN, GUEST.public_key).assurance


async def refused(asked: Awaitable[object]) -> RoomError:
    with pytest.raises(RoomError) as caught:
        await asked
    return caught.value


async def test_a_blocked_name_is_refused_at_once_and_believed_again_after(here: TestRoom) -> None:
    assert assurance(here) is Assurance.VERIFIED
    assert (await here.room.block("Guest.example.com")).changed
    assert assurance(here) is Assurance.UNKNOWN
    assert here.room.trust().blocked_names == ("guest.example.com",)
    assert (await here.room.unblock("guest.example.com")).changed
    assert assurance(here) is Assurance.VERIFIED


async def test_a_blocked_authority_vouches_for_nobody(here: TestRoom) -> None:
    (anchor,) = here.room.trust().anchors
    await here.room.block(anchor.fingerprint)
    assert assurance(here) is Assurance.UNKNOWN


async def test_a_fingerprint_is_taken_as_programs_print_it(here: TestRoom) -> None:
    await here.room.block(":".join([FINGERPRINT[:2].upper()] * 32))
    assert here.room.trust().blocked_keys == (FINGERPRINT,)
    assert not (await here.room.block(FINGERPRINT)).changed


@pytest.mark.parametrize("what", ["", "nonsense", "ab" * 31, "*.example.com"])
async def test_what_is_neither_key_nor_name_is_refused(here: TestRoom, what: str) -> None:
    error = await refused(here.room.block(what))
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT
    assert "64 hexadecimal digits" in error.hint


async def test_a_block_can_be_tried_first(here: TestRoom) -> None:
    assert (await here.room.block("guest.example.com", dry_run=True)).changed
    assert assurance(here) is Assurance.VERIFIED


async def test_a_revoked_certificate_is_refused_at_once(here: TestRoom) -> None:
    assert assurance(here) is Assurance.VERIFIED
    report = await here.room.add_crl(crl_of(PUBLIC_CA, [serial_of(CHAIN)], number=3))
    assert report.changes[0].key == "trust.crls.public"
    assert assurance(here) is Assurance.UNKNOWN
    (crl,) = here.room.trust().crls
    assert (crl.anchor, crl.number, crl.revoked) == ("public", "3", 1)


async def test_the_same_list_again_is_no_change(here: TestRoom) -> None:
    der = crl_of(PUBLIC_CA)
    assert (await here.room.add_crl(der)).changed
    assert not (await here.room.add_crl(der)).changed


async def test_an_older_list_lifts_no_revocation(here: TestRoom) -> None:
    await here.room.add_crl(crl_of(PUBLIC_CA, [serial_of(CHAIN)], number=3))
    error = await refused(here.room.add_crl(crl_of(PUBLIC_CA, number=2)))
    assert "older" in str(error)
    assert assurance(here) is Assurance.UNKNOWN


async def test_a_list_of_an_authority_that_is_not_trusted_is_refused(here: TestRoom) -> None:
    error = await refused(here.room.add_crl(crl_of(TestAuthority("Nobody"))))
    assert "conclavectl trust add" in error.hint


async def test_a_list_can_be_tried_first_and_forgotten(here: TestRoom) -> None:
    der = crl_of(PUBLIC_CA, [serial_of(CHAIN)])
    await here.room.add_crl(der, dry_run=True)
    assert here.room.trust().crls == ()
    await here.room.add_crl(der)
    await here.room.remove_crl("public", dry_run=True)
    assert len(here.room.trust().crls) == 1
    assert (await here.room.remove_crl("public")).changed
    assert not (await here.room.remove_crl("public")).changed
    assert assurance(here) is Assurance.VERIFIED


async def test_lists_survive_a_restart_and_the_way_there_and_back_of_their_anchor(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        await here.room.add_crl(crl_of(PUBLIC_CA, [serial_of(CHAIN)]))
        await here.room.remove_anchor("public")
        await here.room.roll_back_config()
        assert assurance(here) is Assurance.UNKNOWN
    async with running_room(tmp_path) as here:
        assert assurance(here) is Assurance.UNKNOWN


async def test_a_damaged_list_is_never_an_empty_one(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        await here.room.add_crl(crl_of(PUBLIC_CA))
    (path,) = (tmp_path / "state" / CRL_DIRECTORY).iterdir()
    path.write_bytes(b"x")
    with pytest.raises(ConfigError, match="add the CA's list again"):
        async with running_room(tmp_path):
            pass


async def test_a_list_that_is_out_of_date_is_told(here: TestRoom) -> None:
    assert not any("revoked" in problem for problem in here.room.device().problems)
    await here.room.add_crl(crl_of(PUBLIC_CA, until=1_700_000_001))
    assert any("conclavectl trust crl add" in problem for problem in here.room.device().problems)


async def test_a_list_is_read_again_when_the_authoritys_certificate_has_become_another(
    tmp_path: Path,
) -> None:
    async with running_room(tmp_path) as here:
        await here.room.add_crl(crl_of(PUBLIC_CA, [serial_of(CHAIN)]))
        await here.room.remove_anchor("public")
        renamed = TestAuthority("Public CA of another name", key=PUBLIC_CA.key)
        await here.room.add_anchor(renamed.root_pem, "renamed", "verified", ())
    async with running_room(tmp_path) as here:
        (crl,) = here.room.trust().crls
        assert (crl.anchor, crl.revoked) == ("renamed", 1)


async def test_an_anchor_that_could_not_be_read_at_the_next_start_is_not_taken(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        error = await refused(here.room.add_anchor(TestAuthority("New").root_pem, " ", "verified", ()))
        assert error.kind is RoomErrorKind.INVALID_ARGUMENT
        assert "label" in str(error)
    async with running_room(tmp_path) as here:
        assert [anchor.label for anchor in here.room.trust().anchors] == ["public"]
