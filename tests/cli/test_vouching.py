"""Which of the given authorities vouches for a signer, at the time when it signed."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.vouching import Anchor, Signer, vouch
from tests.pki import TestAuthority

NOW = 1_900_000_000
DAY_S = 86_400
KEY = ec.generate_private_key(ec.SECP256R1())
ROOT = TestAuthority("Office Root", not_before=NOW - 900 * DAY_S, not_after=NOW + 900 * DAY_S)
BRANCH = TestAuthority("Branch", parent=ROOT, not_before=NOW - 90 * DAY_S, not_after=NOW + 90 * DAY_S)
STRANGER = TestAuthority("Stranger", not_before=NOW - 900 * DAY_S, not_after=NOW + 900 * DAY_S)


def chain(authority: TestAuthority = BRANCH, **changes: Any) -> tuple[x509.Certificate, ...]:
    wish: dict[str, Any] = {"dns": ["room.example.com"], **changes}
    wish = {"not_before": NOW - DAY_S, "not_after": NOW + 46 * DAY_S, **wish}
    return tuple(x509.load_der_x509_certificate(der) for der in authority.issue(KEY, **wish))


def judge(signed_with: tuple[x509.Certificate, ...], *anchors: TestAuthority, at: int = NOW) -> Signer:
    return vouch(signed_with, [Anchor(anchor.certificate) for anchor in anchors], at=at, what="the record")


def test_the_anchor_that_vouches_is_named_with_the_signer() -> None:
    signer = judge(chain(), STRANGER, ROOT)
    assert (signer.name, signer.authority) == ("room.example.com", "CN=Office Root")
    assert (signer.not_before, signer.not_after) == (NOW - DAY_S, NOW + 46 * DAY_S)
    assert len(signer.fingerprint) == 64


def test_a_person_signs_with_a_mail_address() -> None:
    assert judge(chain(dns=[], email=["ana@example.com"]), ROOT).name == "ana@example.com"


def test_a_certificate_that_has_ended_since_counts_for_what_was_signed_before() -> None:
    assert judge(chain(not_after=NOW + 60), ROOT, at=NOW).name == "room.example.com"


@pytest.mark.parametrize("at", [NOW - 2 * DAY_S, NOW + 47 * DAY_S])
def test_what_was_signed_outside_the_certificates_time_is_not_genuine(at: int) -> None:
    with pytest.raises(CommandError, match=r"a certificate of room\.example\.com that was not valid then"):
        judge(chain(), ROOT, at=at)


OTHERS_PURPOSE = [ExtendedKeyUsageOID.CODE_SIGNING]


@pytest.mark.parametrize(
    ("signed_with", "anchors"),
    [
        (chain(STRANGER), (ROOT,)),
        (chain()[:1], (ROOT,)),
        (chain(eku=OTHERS_PURPOSE), (ROOT,)),
        (chain(TestAuthority("Limited", parent=ROOT, eku=OTHERS_PURPOSE)), (ROOT,)),
        (chain(TestAuthority("Narrow", parent=ROOT, permitted_dns=["example.org"])), (ROOT,)),
        (chain(dns=[], email=["ana@example.com"], eku=[ExtendedKeyUsageOID.SERVER_AUTH]), (ROOT,)),
    ],
    ids=["stranger", "no branch", "purpose", "limited branch", "narrow branch", "address"],
)
def test_whom_no_anchor_vouches_for_is_not_genuine(
    signed_with: tuple[x509.Certificate, ...], anchors: tuple[TestAuthority, ...]
) -> None:
    with pytest.raises(CommandError, match="none of the given authorities vouches") as caught:
        judge(signed_with, *anchors)
    assert caught.value.kind is ErrorKind.NOT_GENUINE
    assert "--anchor" in caught.value.hint


def test_a_common_name_is_no_name() -> None:
    with pytest.raises(CommandError, match="names not exactly one"):
        judge(chain(dns=[], common_name="room.example.com"), ROOT)


def test_a_certificate_of_two_names_is_nobodys() -> None:
    with pytest.raises(CommandError, match="names not exactly one"):
        judge(chain(dns=["a.example.com", "b.example.com"]), ROOT)


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("example.com", True),
        ("Room.Example.com", True),
        ("ana@example.com", True),
        ("notexample.com", False),
        ("example.com@elsewhere.example", False),
        ("example.com.elsewhere.example", False),
    ],
)
def test_an_anchor_for_a_domain_may_vouch_for_what_is_in_it_alone(name: str, may: bool) -> None:
    certificate = TestAuthority("Root").certificate
    assert Anchor(certificate, "example.com").may_vouch_for(name) is may
    assert Anchor(certificate).may_vouch_for(name)
