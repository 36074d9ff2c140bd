"""Certificates that an admin carries in: a request goes out, a chain comes back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

from conclaved.bus.change_report import ChangeReport
from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.identity import unwrapping
from tests.identity.test_unwrapping import rsa_bomb
from tests.service.rooms import PUBLIC_CA, TestRoom, running_room

DOMAIN = "room.example.com"
SECRET = b"a secret of twenty one"


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[TestRoom]:
    async with running_room(tmp_path, domain="") as room:
        yield room


@pytest.fixture
async def enrolled(tmp_path: Path) -> AsyncIterator[TestRoom]:
    async with running_room(tmp_path, domain=DOMAIN) as room:
        yield room


def issued(request: str, domain: str = DOMAIN) -> str:
    """What a CA makes of a request, PEM."""
    key = x509.load_pem_x509_csr(request.encode()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return pem_of(PUBLIC_CA.issue(key, dns=[domain]))


def pem_of(chain: tuple[bytes, ...]) -> str:
    return "".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode() for der in chain)


def packed(domain: str = DOMAIN, secret: bytes = SECRET) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = x509.load_der_x509_certificate(PUBLIC_CA.issue(key.public_key(), dns=[domain])[0])
    return pkcs12.serialize_key_and_certificates(b"", key, leaf, None, BestAvailableEncryption(secret))


async def refused(asking: object) -> RoomError:
    with pytest.raises(RoomError) as caught:
        await asking  # type: ignore[misc]
    assert caught.value.hint or caught.value.kind is RoomErrorKind.BUSY
    return caught.value


async def test_a_bare_room_is_enrolled_by_request_and_chain(bare: TestRoom) -> None:
    request = await bare.room.request_certificate(DOMAIN)
    report = await bare.room.import_chain(issued(request))
    assert report.changed
    assert report.changes[0].before == ""
    assert DOMAIN in report.changes[0].after
    assert (bare.room.identity().state, bare.room.identity().domain) == ("enrolled", DOMAIN)


async def test_the_request_is_signed_and_for_the_domain_alone(bare: TestRoom) -> None:
    request = x509.load_pem_x509_csr((await bare.room.request_certificate("Room.Example.COM")).encode())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert request.is_signature_valid
    assert list(names) == [x509.DNSName(DOMAIN)]


async def test_a_chain_said_again_is_no_change(bare: TestRoom) -> None:
    chain = issued(await bare.room.request_certificate(DOMAIN))
    await bare.room.import_chain(chain)
    assert await bare.room.import_chain(chain) == ChangeReport(changed=False)


async def test_a_dry_run_tells_and_changes_nothing(bare: TestRoom) -> None:
    chain = issued(await bare.room.request_certificate(DOMAIN))
    assert (await bare.room.import_chain(chain, dry_run=True)).changed
    assert bare.room.identity().state == "none"
    assert (await bare.room.import_chain(chain)).changed


async def test_a_chain_for_another_domain_than_the_request_is_refused(bare: TestRoom) -> None:
    request = await bare.room.request_certificate(DOMAIN)
    other = issued(request, "other.example.com")
    error = await refused(bare.room.import_chain(other))
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT
    assert "other.example.com and not for room.example.com" in str(error)
    assert bare.room.identity().state == "none"
    assert (await bare.room.import_chain(other, "other.example.com")).changed


async def test_a_chain_for_another_key_is_refused_and_the_old_one_stays(enrolled: TestRoom) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
    before = enrolled.room.identity()
    error = await refused(enrolled.room.import_chain(pem_of(PUBLIC_CA.issue(stranger, dns=[DOMAIN]))))
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT
    assert enrolled.room.identity() == before


async def test_a_request_for_a_new_key_leaves_the_present_one_in_force_until_its_chain_comes(
    enrolled: TestRoom,
) -> None:
    before = enrolled.keys.signer().public_key
    request = await enrolled.room.request_certificate("", is_new_key=True)
    assert enrolled.keys.signer().public_key == before
    await enrolled.room.import_chain(issued(request))
    assert enrolled.keys.signer().public_key != before


async def test_without_any_word_about_the_domain_nothing_is_asked_for(bare: TestRoom) -> None:
    error = await refused(bare.room.request_certificate(""))
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT


async def test_the_domain_that_is_set_is_asked_for(bare: TestRoom) -> None:
    await bare.room.set_config({"identity.domain": "set.example.com"})
    request = x509.load_pem_x509_csr((await bare.room.request_certificate("")).encode())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName("set.example.com")]


async def test_a_key_from_elsewhere_is_put_in_force_sealed(bare: TestRoom) -> None:
    report = await bare.room.import_key(packed(), SECRET)
    assert report.changed
    assert bare.room.identity().domain == DOMAIN
    assert bare.room.identity().key_protection == "sealed"


@pytest.mark.parametrize(
    ("content", "secret", "domain", "words"),
    [
        (packed(), b"wrong", "", "does not open"),
        (b"nothing", SECRET, "", "neither PKCS#12 nor a JWE"),
        (packed("other.example.com"), SECRET, DOMAIN, "not for room.example.com"),
    ],
)
async def test_a_key_that_cannot_be_taken_changes_nothing(
    enrolled: TestRoom, content: bytes, secret: bytes, domain: str, words: str
) -> None:
    before = enrolled.room.identity()
    with pytest.raises(RoomError, match=words) as caught:
        await enrolled.room.import_key(content, secret, domain)
    assert caught.value.kind is RoomErrorKind.INVALID_ARGUMENT
    assert enrolled.room.identity() == before


async def test_two_chains_at_once_are_one_after_the_other_or_busy(bare: TestRoom) -> None:
    request = await bare.room.request_certificate(DOMAIN)
    outcomes = await asyncio.gather(
        *(bare.room.import_chain(issued(request)) for _ in range(4)), return_exceptions=True
    )
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert all(isinstance(error, RoomError) and error.kind is RoomErrorKind.BUSY for error in errors)
    assert len(errors) < len(outcomes)
    assert bare.room.identity().state == "enrolled"


async def test_a_wrapped_key_is_not_opened_in_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unwrapping, "CPU_S", 1)
    async with running_room(tmp_path) as here:
        with pytest.raises(RoomError, match="too much computing"):
            await here.room.import_key(rsa_bomb(), b"ossifrage")
