"""What an account can do beside ordering, at a real CA."""

import base64
import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from josepy.jwk import JWK

from conclave_provisioning.enrollment import (
    AccountSigner,
    AcmeAccount,
    Enrollment,
    RefusedError,
    SettingsError,
)
from conclave_provisioning.enrollment.account_key import KeyFiles, jwk_of, thumbprint
from tests.enrollment.conftest import MakeSettings
from tests.enrollment.faults import Fault, FaultyCa
from tests.enrollment.signers import KeyInMemory

pytestmark = pytest.mark.asyncio(loop_scope="session")
DOMAIN = "room.example.com"


async def issue(reach: MakeSettings, folder: Path, signer: KeyInMemory | None = None) -> bytes:
    enrollment = Enrollment(reach(), folder)
    certificate = await enrollment.enroll(DOMAIN, signer or KeyInMemory())
    enrollment.confirm()
    return certificate.chain[0]


async def test_the_account_is_shown_with_its_address_and_contact(reach: MakeSettings, tmp_path: Path) -> None:
    shown = await AcmeAccount(reach(), tmp_path).show()
    assert (shown.status, shown.contact) == ("valid", ("mailto:it@example.com",))
    assert shown.url == json.loads((tmp_path / "account.json").read_text())["url"]


async def test_a_new_contact_is_told_once(ca: FaultyCa, reach: MakeSettings, tmp_path: Path) -> None:
    await AcmeAccount(reach(), tmp_path).show()
    account = AcmeAccount(reach(email="new@example.com"), tmp_path)
    assert await account.update_contact() is True
    assert (await account.show()).contact == ("mailto:new@example.com",)
    assert await account.update_contact() is False


async def test_a_new_key_takes_the_account_over(reach: MakeSettings, tmp_path: Path) -> None:
    account = AcmeAccount(reach(), tmp_path)
    before, old = await account.show(), (tmp_path / "account.key").read_bytes()
    assert await account.roll_key() is True
    assert (tmp_path / "account.key").read_bytes() != old
    assert stat.S_IMODE((tmp_path / "account.key").stat().st_mode) == 0o600
    assert not (tmp_path / "account-next.key").exists()
    assert await account.show() == before
    await issue(reach, tmp_path)


async def test_a_rollover_that_the_ca_did_not_hear_of_leaves_the_old_key(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    account = AcmeAccount(reach(), tmp_path)
    before, old = await account.show(), (tmp_path / "account.key").read_bytes()
    ca.fail("/rollover-account-key", Fault(drops="before"))
    with pytest.raises(Exception, match="hung up"):
        await account.roll_key()
    assert await account.show() == before
    assert (tmp_path / "account.key").read_bytes() == old


async def test_a_rollover_whose_answer_was_lost_is_found_out_and_ended(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    account = AcmeAccount(reach(), tmp_path)
    before = await account.show()
    ca.fail("/rollover-account-key", Fault(drops="after"))
    with pytest.raises(Exception, match="hung up"):
        await account.roll_key()
    new = (tmp_path / "account-next.key").read_bytes()
    assert await account.show() == before
    assert (tmp_path / "account.key").read_bytes() == new
    assert not (tmp_path / "account-next.key").exists()


async def test_an_account_that_ended_is_followed_by_a_new_one_with_a_new_key(
    reach: MakeSettings, tmp_path: Path
) -> None:
    account = AcmeAccount(reach(), tmp_path)
    before = await account.show()
    assert await account.deactivate() is True
    assert not (tmp_path / "account.key").exists()
    assert (await account.show()).url != before.url
    await issue(reach, tmp_path)


async def test_the_end_of_an_account_that_ended_already_is_no_change(
    reach: MakeSettings, tmp_path: Path
) -> None:
    account = AcmeAccount(reach(), tmp_path)
    await account.show()
    kept = {name: (tmp_path / name).read_bytes() for name in ("account.key", "account.json")}
    await account.deactivate()
    for name, content in kept.items():  # as if the power had failed before the files were removed
        (tmp_path / name).write_bytes(content)
    assert await account.deactivate() is False
    assert (await account.show()).status == "valid"


async def test_a_certificate_is_revoked_once(reach: MakeSettings, tmp_path: Path) -> None:
    leaf = await issue(reach, tmp_path)
    account = AcmeAccount(reach(), tmp_path)
    assert await account.revoke(leaf, reason=4) is True
    assert await account.revoke(leaf) is False


async def test_a_certificate_is_revoked_by_its_own_key_though_the_account_is_lost(
    reach: MakeSettings, tmp_path: Path
) -> None:
    signer = KeyInMemory()
    leaf = await issue(reach, tmp_path / "lost", signer)
    other = AcmeAccount(reach(), tmp_path / "other")
    with pytest.raises(RefusedError):
        await other.revoke(leaf)
    assert await other.revoke(leaf, signer=signer) is True
    assert await other.revoke(leaf, signer=signer) is False


async def test_the_standing_record_is_named_before_anything_is_ordered(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.meta = {"issuerDomainNames": ["ca.example"], "accountHashPrefix": "https://ca.example/hash/"}
    account = AcmeAccount(reach(), tmp_path)
    record = await account.persistent_record(DOMAIN)
    assert record.name == f"_validation-persist.{DOMAIN}"
    assert record.value.startswith("ca.example; accounturi=https://ca.example/hash/sha-256/")
    ca.meta = {"caaIdentities": ["ca.example"]}
    url = (await account.show()).url
    assert (await account.persistent_record(DOMAIN)).value == f"ca.example; accounturi={url}"
    assert ca.orders() == []


async def test_a_ca_that_does_not_say_its_name_cannot_have_a_record(
    reach: MakeSettings, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="which name it has"):
        await AcmeAccount(reach(), tmp_path).persistent_record(DOMAIN)


async def test_the_accounts_key_can_live_anywhere_that_signs(reach: MakeSettings, tmp_path: Path) -> None:
    class Elsewhere(KeyFiles):
        """Keys that are not in the state folder; it counts what they sign."""

        signed = 0

        def current(self) -> AccountSigner:
            return self._counting(super().current())

        def _counting(self, signer: AccountSigner) -> AccountSigner:
            outer = self

            class Counting:
                public_jwk = signer.public_jwk

                def sign(self, data: bytes) -> bytes:
                    outer.signed += 1
                    return signer.sign(data)

            return Counting()

    keys = Elsewhere(tmp_path / "token")
    enrollment = Enrollment(reach(), tmp_path / "state", keys=keys)
    await enrollment.enroll(DOMAIN, KeyInMemory())
    assert keys.signed >= 6
    assert not (tmp_path / "state" / "account.key").exists()


async def test_a_key_signs_as_its_jwk_says(tmp_path: Path) -> None:
    signer = KeyFiles(tmp_path).current()
    signature = signer.sign(b"data")
    jwk = signer.public_jwk
    again = KeyFiles(tmp_path).current()
    assert len(signature) == 64
    assert (again.public_jwk, list(jwk)) == (jwk, ["crv", "kty", "x", "y"])
    assert "d" not in jwk
    r, s = (int.from_bytes(signature[start : start + 32], "big") for start in (0, 32))
    public_key_of(jwk).verify(encode_dss_signature(r, s), b"data", ec.ECDSA(SHA256()))


def public_key_of(jwk: Mapping[str, str]) -> ec.EllipticCurvePublicKey:
    x, y = (int.from_bytes(base64.urlsafe_b64decode(jwk[name] + "=")) for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


async def test_the_thumbprint_is_that_of_the_library(tmp_path: Path) -> None:
    jwk = jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key())
    expected: Any = JWK.from_json(jwk)
    assert thumbprint(jwk) == base64.urlsafe_b64encode(expected.thumbprint()).decode().rstrip("=")


async def test_settings_of_a_mac_key_in_a_file_keep_it_there(reach: MakeSettings, tmp_path: Path) -> None:
    secret = tmp_path / "mac"
    secret.write_text("c2VjcmV0")
    settings = replace(reach(), eab_key_id="kid", eab_mac_file=secret)
    with pytest.raises(SettingsError, match="others may read"):
        await AcmeAccount(settings, tmp_path / "state").show()
    secret.chmod(0o600)
    with pytest.raises(RefusedError, match="kid") as caught:  # the file is read; the CA knows no such key
        await AcmeAccount(settings, tmp_path / "state").show()
    assert "c2VjcmV0" not in f"{settings!r} {caught.value}"
