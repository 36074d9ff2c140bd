"""The ACME account's key where the device's own is: made there, moved there, and lost with a TPM."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conclaved.bus.room import EnrollmentRequest
from conclaved.identity import KeyBackend, KeyStore, PlainBackend, Protection, SealedBackend
from conclaved.identity.key_backends import protection_of
from conclaved.identity.key_backends.tpm2 import Tpm2Backend
from conclaved.service.config import AcmeConfig, Config
from conclaved.service.enrolling import Enrolling
from tests.challenges import answering
from tests.pebble import Pebble
from tests.swtpm import Swtpm

DEADLINE_S = 60
DOMAIN = "room.example.com"


@pytest.fixture
async def pebble(tmp_path: Path) -> AsyncIterator[Pebble]:
    async with Pebble(tmp_path / "pebble") as running:
        yield running


class Device:
    """A device's enrollment, with its keys in the first of these places."""

    def __init__(self, folder: Path, pebble: Pebble, *places: KeyBackend) -> None:
        self.folder = folder
        self.keys = KeyStore(folder / "identity", *places)
        acme = AcmeConfig(directory_url=pebble.directory_url, ca_file=pebble.ca_file, agree_terms=True)
        self.config = Config(state_directory=folder, runtime_directory=folder / "run", acme=acme)
        self.config.token_directory.mkdir(parents=True, exist_ok=True)
        self._pebble = pebble
        self._news = asyncio.Event()
        self.it = Enrolling(self.config, self.keys, self._news.set, self._renewed)

    async def _renewed(self) -> None:
        await self.it.forget_old_keys()

    async def enroll(self) -> None:
        await self.attempt()
        assert self.it.status().state == "enrolled", self.it.status()

    async def attempt(self) -> None:
        with answering(self.config.token_directory, ("127.0.0.1", self._pebble.http_port)):
            self.it.start(EnrollmentRequest(DOMAIN))
            async with asyncio.timeout(DEADLINE_S):
                while self.it.status().state == "enrolling":
                    self._news.clear()
                    await self._news.wait()
        self.keys.close()

    @property
    def account_url(self) -> str:
        url: str = json.loads((self.folder / "acme/account.json").read_text())["url"]
        return url

    @property
    def places(self) -> set[Protection]:
        """Where the keys are that there are."""
        return {protection_of(path.read_bytes()) for path in (self.folder / "identity").glob("*.key")}


async def test_the_account_keeps_its_address_when_its_key_moves_to_the_tpm(
    tmp_path: Path, pebble: Pebble
) -> None:
    plain = PlainBackend(is_allowed=True)
    before = Device(tmp_path, pebble, plain)
    await before.enroll()
    url = before.account_url
    with Swtpm(tmp_path / "tpm") as tpm:
        after = Device(tmp_path, pebble, Tpm2Backend(tpm.tcti), plain)
        await after.enroll()
        assert after.account_url == url
        assert after.places == {Protection.TPM2}
        await after.enroll()
        assert after.account_url == url


async def test_a_cleared_tpm_costs_the_account_and_the_next_enrollment_makes_another(
    tmp_path: Path, pebble: Pebble
) -> None:
    with Swtpm(tmp_path / "tpm") as tpm:
        before = Device(tmp_path, pebble, Tpm2Backend(tpm.tcti))
        await before.enroll()
        url = before.account_url
        tpm.clear()
        after = Device(tmp_path, pebble, Tpm2Backend(tpm.tcti))
        await after.enroll()
        assert after.account_url != url
        assert len(list((tmp_path / "identity").glob("*.key"))) == 2


async def test_an_account_whose_key_cannot_be_opened_any_more_is_given_up_where_keys_are_to_move(
    tmp_path: Path, pebble: Pebble
) -> None:
    before = Device(tmp_path, pebble, SealedBackend(bytes(32)))
    await before.enroll()
    url = before.account_url
    with Swtpm(tmp_path / "tpm") as tpm:
        # Without the wrapping key neither of the two old keys can be used.
        after = Device(tmp_path, pebble, Tpm2Backend(tpm.tcti), SealedBackend(None))
        await after.enroll()
        assert after.account_url != url
        assert after.places == {Protection.TPM2}


async def test_an_account_whose_key_is_only_away_is_not_given_up(tmp_path: Path, pebble: Pebble) -> None:
    with Swtpm(tmp_path / "tpm") as tpm:
        device = Device(tmp_path, pebble, Tpm2Backend(tpm.tcti))
        await device.enroll()
        url = device.account_url
        tpm.stop()
        await device.attempt()
        assert "cannot be reached" in device.it.status().error
        tpm.start()
        await device.enroll()
        assert device.account_url == url
