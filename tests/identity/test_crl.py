"""Lists of revoked certificates: whose are read, and what they do to a verdict."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from conclaved.identity import Anchor, Assurance, Crl, CrlError, TrustStore, parse_anchor_pem, parse_crl
from tests.crl import crl_of, serial_of
from tests.pki import TestAuthority, point_of

NOW = int(datetime.now(UTC).timestamp())
KEY = ec.generate_private_key(ec.SECP256R1())
ROOT = TestAuthority("Office CA")
ISSUING = TestAuthority("Office Issuing CA", parent=ROOT)
STRANGER = TestAuthority("Office CA")
CHAIN = ROOT.issue(KEY, dns=["room.example.com"])
BELOW = ISSUING.issue(KEY, dns=["room.example.com"])


def anchor(authority: TestAuthority) -> Anchor:
    (found,) = parse_anchor_pem(
        authority.certificate.public_bytes(Encoding.PEM), kind=Assurance.VERIFIED, label="office"
    )
    return found


def parsed(der: bytes, *authorities: TestAuthority) -> Crl:
    return parse_crl(der, [anchor(authority) for authority in authorities or (ROOT,)])


def verdict(crls: tuple[Crl, ...], chain: tuple[bytes, ...] = CHAIN) -> tuple[Assurance, str]:
    store = TrustStore((anchor(ROOT), *((anchor(ISSUING),) if len(crls) > 1 else ())), crls=crls)
    found = store.assess(chain, point_of(KEY), now=NOW)
    return found.assurance, found.reason


def refused(data: bytes) -> str:
    with pytest.raises(CrlError) as caught:
        parsed(data)
    assert caught.value.hint
    return str(caught.value)


def test_a_revoked_certificate_is_not_verified_and_the_reason_says_by_whom() -> None:
    assurance, reason = verdict((parsed(crl_of(ROOT, [serial_of(CHAIN)])),))
    assert assurance is Assurance.UNKNOWN
    assert reason == "CN=Office CA revoked a certificate of room.example.com on 2023-11-14 22:13 UTC"


def test_a_certificate_that_the_list_does_not_name_is_verified() -> None:
    assert verdict((parsed(crl_of(ROOT, [1, 2, 3])),))[0] is Assurance.VERIFIED


def test_nobody_is_verified_behind_a_revoked_authority() -> None:
    assert verdict((), BELOW)[0] is Assurance.VERIFIED
    crl = parsed(crl_of(ROOT, [ISSUING.certificate.serial_number]))
    assert verdict((crl,), BELOW)[0] is Assurance.UNKNOWN


def test_a_list_speaks_for_its_own_authoritys_certificates_only() -> None:
    crl = parsed(crl_of(ROOT, [serial_of(BELOW)]))
    assert verdict((crl,), BELOW)[0] is Assurance.VERIFIED


def test_a_list_whose_time_is_over_revokes_still() -> None:
    crl = parsed(crl_of(ROOT, [serial_of(CHAIN)], until=NOW - 1))
    assert crl.is_stale(NOW)
    assert verdict((crl,))[0] is Assurance.UNKNOWN


def test_a_list_is_read_as_pem_too() -> None:
    der = crl_of(ROOT, [5])
    pem = x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
    assert parsed(pem) == parsed(der)


def test_a_list_that_another_key_signed_is_refused_though_the_name_is_right() -> None:
    assert "no anchor of this device has signed the list of CN=Office CA" in refused(crl_of(STRANGER))


def test_an_altered_list_is_refused() -> None:
    der = bytearray(crl_of(ROOT, [5]))
    der[-1] ^= 1
    refused(bytes(der))


@pytest.mark.parametrize(
    ("extension", "is_critical", "says"),
    [
        (x509.DeltaCRLIndicator(1), True, "is a delta"),
        (
            x509.IssuingDistributionPoint(None, None, False, False, None, True, False),
            True,
            "speaks for other authorities",
        ),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True, "1.2.3.4"),
    ],
)
def test_a_list_that_says_other_than_it_seems_is_refused(
    extension: x509.ExtensionType, is_critical: bool, says: str
) -> None:
    assert says in refused(crl_of(ROOT, extensions=[(extension, is_critical)]))


@pytest.mark.parametrize("data", [b"", b"x", b"-----BEGIN X509 CRL-----\n", ROOT.der])
def test_what_is_no_list_is_refused(data: bytes) -> None:
    assert "is no list of revoked certificates" in refused(data)


def test_the_later_of_two_lists_is_told_by_number_and_then_by_time() -> None:
    first, second = parsed(crl_of(ROOT, number=1)), parsed(crl_of(ROOT, number=2, made=1_600_000_000))
    assert first.is_older_than(second)
    assert not second.is_older_than(first)
    assert parsed(crl_of(ROOT, number=None, made=1)).is_older_than(parsed(crl_of(ROOT, number=None, made=2)))
