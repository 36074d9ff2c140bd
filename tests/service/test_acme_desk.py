"""What an admin may ask of the CA beside a certificate: a rehearsal, and the account there."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from conclaved.bus.room import EnrollmentRequest, RoomError, RoomErrorKind
from conclaved.service.acme_desk import AcmeDesk
from tests.pebble import Pebble
from tests.service.test_renewing import DOMAIN, Device


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ca(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pebble]:
    folder = tmp_path_factory.mktemp("ca") / "pebble"
    async with Pebble(folder, nonce_reject=0, blocklist=["refused.example.com"]) as running:
        yield running


def desk_of(device: Device, domain: str = DOMAIN) -> AcmeDesk:
    return AcmeDesk(device.enrolling, lambda: domain)


def everything_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


async def refused(asking: object) -> RoomError:
    with pytest.raises(RoomError) as caught:
        await asking  # type: ignore[misc]
    assert caught.value.hint
    return caught.value


async def test_a_rehearsal_that_goes_well_changes_nothing(tmp_path: Path, ca: Pebble) -> None:
    device = Device(tmp_path, ca)
    before = everything_in(tmp_path)
    found = await desk_of(device).rehearse(ca.directory_url)
    assert found.is_good
    assert any("certificate" in step for step in found.steps)
    assert device.enrolling.status().state == "none"
    assert everything_in(tmp_path) == before


async def test_a_rehearsal_that_fails_says_why_as_an_enrollment_would(tmp_path: Path, ca: Pebble) -> None:
    found = await desk_of(Device(tmp_path, ca), "refused.example.com").rehearse(ca.directory_url)
    assert not found.is_good
    assert found.error_kind == "refused"
    assert "rejectedIdentifier" in found.error
    assert found.hint


async def test_a_ca_without_a_known_place_for_rehearsals_is_not_ordered_from_for_real(
    tmp_path: Path, ca: Pebble
) -> None:
    error = await refused(desk_of(Device(tmp_path, ca)).rehearse(""))
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT
    assert "--directory" in error.hint


async def test_the_account_is_shown_rolled_over_and_ended(tmp_path: Path, ca: Pebble) -> None:
    device = Device(tmp_path, ca)
    desk = desk_of(device)
    account = await desk.account()
    key = device.keys.account_signer().public_key
    assert account.status == "valid"
    assert account.url.startswith("https://")
    assert (await desk.roll_account_key()).changed
    assert device.keys.account_signer().public_key != key
    assert (await desk.account()).url == account.url
    assert (await desk.deactivate_account()).changed
    assert (await desk.account()).url != account.url


async def test_a_room_enrolls_under_the_key_that_its_account_was_given(tmp_path: Path, ca: Pebble) -> None:
    device = Device(tmp_path, ca)
    await desk_of(device).roll_account_key()
    key = device.keys.account_signer().public_key
    device.enrolling.start(EnrollmentRequest(DOMAIN))
    await device.enrolling.idle()
    assert device.enrolling.status().state == "enrolled"
    assert device.keys.account_signer().public_key == key


async def test_while_an_enrollment_runs_the_account_is_left_alone(tmp_path: Path, ca: Pebble) -> None:
    device = Device(tmp_path, ca)
    device.enrolling.start(EnrollmentRequest(DOMAIN))
    error = await refused(desk_of(device).roll_account_key())
    assert error.kind is RoomErrorKind.BUSY
    await device.enrolling.idle()


async def test_a_ca_without_standing_records_says_so(tmp_path: Path, ca: Pebble) -> None:
    error = await refused(desk_of(Device(tmp_path, ca)).persistent_record(""))
    assert "dns-persist-01" in str(error)


async def test_settings_that_cannot_work_are_an_invalid_argument(tmp_path: Path, ca: Pebble) -> None:
    device = Device(tmp_path, ca)
    device.enrolling.configure(replace(device.config, acme=replace(device.acme, agree_terms=False)))
    error = await refused(desk_of(device).account())
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT
