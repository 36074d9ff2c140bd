"""The one function that judges a chain."""

from datetime import UTC, datetime
from typing import TypedDict

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from conclaved.identity import (
    Anchor,
    AnchorError,
    Assurance,
    NameFormatError,
    NameType,
    TrustStore,
    Verdict,
    check_successor,
    fingerprint_of,
    parse_anchor_pem,
)
from tests.hal import views
from tests.pki import CLIENT_AUTH, EMAIL_PROTECTION, SERVER_AUTH, TestAuthority, point_of


class Period(TypedDict):
    """When a certificate is valid, Unix seconds."""

    not_before: int
    not_after: int


NOW = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
DAY = 86400
KEY = ec.generate_private_key(ec.SECP256R1())
POINT = point_of(KEY)
LIFE: Period = {"not_before": NOW - DAY, "not_after": NOW + 45 * DAY}
CA_LIFE: Period = {"not_before": NOW - 400 * DAY, "not_after": NOW + 3000 * DAY}

ROOT = TestAuthority("Public Root", **CA_LIFE)
ISSUING = TestAuthority("Public Issuing", parent=ROOT, eku=(SERVER_AUTH,), **CA_LIFE)
PROVIDER = TestAuthority("Provider", **CA_LIFE)


def verified(authority: TestAuthority, *domains: str, label: str = "public") -> Anchor:
    return parse_anchor_pem(authority.root_pem, kind=Assurance.VERIFIED, domains=domains, label=label)[0]


PROVIDER_ANCHOR = parse_anchor_pem(PROVIDER.root_pem, kind=Assurance.PROVIDER, label="provider")[0]
STORE = TrustStore((verified(ROOT), PROVIDER_ANCHOR))


def assess(chain: tuple[bytes, ...], store: TrustStore = STORE, now: int | None = NOW) -> Verdict:
    return store.assess(chain, POINT, now=now)


def test_a_2026_public_certificate_is_verified_under_its_domain() -> None:
    chain = ISSUING.issue(KEY, dns=["room.example.com"], **LIFE)
    assert assess(chain) == Verdict(
        Assurance.VERIFIED,
        NameType.DNS,
        "room.example.com",
        "public vouches for room.example.com",
        "public",
        NOW + 45 * DAY,
    )


def test_a_persons_certificate_is_verified_under_the_mail_address() -> None:
    verdict = assess(ROOT.issue(KEY, email=["Ann@Example.COM"], **LIFE))
    assert (verdict.assurance, verdict.name_type) == (Assurance.VERIFIED, NameType.EMAIL)
    assert verdict.name == "Ann@example.com"


def test_upper_case_in_a_certificate_shows_as_lower_case() -> None:
    assert assess(ROOT.issue(KEY, dns=["ROOM.Example.com"], **LIFE)).name == "room.example.com"


def test_the_common_name_is_never_the_name() -> None:
    verdict = assess(ROOT.issue(KEY, common_name="room.example.com", **LIFE))
    assert (verdict.assurance, verdict.name) == (Assurance.UNKNOWN, "")
    named = assess(ROOT.issue(KEY, common_name="boss.example.com", dns=["room.example.com"], **LIFE))
    assert (named.assurance, named.name) == (Assurance.VERIFIED, "room.example.com")


@pytest.mark.parametrize(
    ("dns", "email"),
    [
        (["*.example.com"], []),
        (["a.example.com", "b.example.com"], []),
        (["a.example.com"], ["ann@example.com"]),
        ([], ["ann@example.com", "bob@example.com"]),
        (["localhost"], []),
        (["room.example.com."], []),
        (["a_b.example.com"], []),
        (["10.0.0.1"], []),
        (["-a.example.com"], []),
        (["x" * 64 + ".example.com"], []),
        ([], ["ann"]),
        ([], ["@example.com"]),
        ([], ['"a b"@example.com']),
    ],
    ids=str,
)
def test_a_san_that_does_not_give_one_plain_name_is_unknown(dns: list[str], email: list[str]) -> None:
    verdict = assess(ROOT.issue(KEY, dns=dns, email=email, eku=(SERVER_AUTH, EMAIL_PROTECTION), **LIFE))
    assert (verdict.assurance, verdict.name_type, verdict.name) == (Assurance.UNKNOWN, None, "")


def test_a_certificate_for_an_address_only_is_unknown() -> None:
    assert assess(ROOT.issue(KEY, ips=["192.0.2.1"], **LIFE)).assurance is Assurance.UNKNOWN


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024).public_key(),  # noqa: S505 - the weak key is the point
        rsa.generate_private_key(65537, 2048).public_key(),
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
    ],
    ids=["rsa-1024", "rsa-2048", "p-384", "ed25519"],
)
def test_a_leaf_key_that_is_not_p256_is_unknown(
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey,
) -> None:
    verdict = assess(ROOT.issue(key, dns=["room.example.com"], **LIFE))
    assert verdict.reason == "the certificate's key is not a P-256 key"
    assert verdict.assurance is Assurance.UNKNOWN


def test_a_certificate_of_another_key_than_the_leaf_nodes_is_unknown() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    verdict = assess(ROOT.issue(other, dns=["room.example.com"], **LIFE))
    assert (verdict.assurance, verdict.name) == (Assurance.UNKNOWN, "")
    assert "another key" in verdict.reason


@pytest.mark.parametrize(
    ("eku", "assurance"),
    [
        ((SERVER_AUTH,), Assurance.VERIFIED),
        ((CLIENT_AUTH,), Assurance.VERIFIED),
        ((CLIENT_AUTH, SERVER_AUTH), Assurance.VERIFIED),
        ((), Assurance.UNKNOWN),
        ((EMAIL_PROTECTION,), Assurance.UNKNOWN),
        ((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), Assurance.UNKNOWN),
        ((ExtendedKeyUsageOID.CODE_SIGNING,), Assurance.UNKNOWN),
    ],
    ids=str,
)
def test_a_rooms_leaf_needs_an_eku_for_tls(
    eku: tuple[x509.ObjectIdentifier, ...], assurance: Assurance
) -> None:
    assert assess(ROOT.issue(KEY, dns=["room.example.com"], eku=eku, **LIFE)).assurance is assurance


def test_a_persons_leaf_with_serverauth_only_is_unknown() -> None:
    chain = ROOT.issue(KEY, email=["ann@example.com"], eku=(SERVER_AUTH,), **LIFE)
    assert assess(chain).assurance is Assurance.UNKNOWN


def test_an_intermediate_for_other_purposes_is_not_passed_through() -> None:
    issuing = TestAuthority("Mail Issuing", parent=ROOT, eku=(EMAIL_PROTECTION,), **CA_LIFE)
    chain = issuing.issue(KEY, dns=["room.example.com"], **LIFE)
    assert assess(chain).assurance is Assurance.UNKNOWN
    mixed = issuing.issue(KEY, email=["ann@example.com"], **LIFE)
    assert assess(mixed).assurance is Assurance.VERIFIED


def test_a_purpose_must_hold_along_the_whole_path() -> None:
    issuing = TestAuthority("Client Issuing", parent=ROOT, eku=(CLIENT_AUTH,), **CA_LIFE)
    both = issuing.issue(KEY, dns=["room.example.com"], eku=(SERVER_AUTH, CLIENT_AUTH), **LIFE)
    assert assess(both).assurance is Assurance.VERIFIED
    server_only = issuing.issue(KEY, dns=["room.example.com"], **LIFE)
    assert assess(server_only).assurance is Assurance.UNKNOWN


@pytest.mark.parametrize(
    ("now", "word"), [(NOW + 46 * DAY, "ended on 2026-11-15"), (NOW - 2 * DAY, "begins only on 2026-09-30")]
)
def test_a_certificate_out_of_its_time_is_unknown_and_the_reason_says_when(now: int, word: str) -> None:
    verdict = assess(ISSUING.issue(KEY, dns=["room.example.com"], **LIFE), now=now)
    assert verdict.assurance is Assurance.UNKNOWN
    assert word in verdict.reason
    assert verdict.name == "room.example.com"


def test_a_leaf_made_for_years_is_unknown() -> None:
    chain = ROOT.issue(KEY, dns=["room.example.com"], not_before=NOW - DAY, not_after=NOW + 900 * DAY)
    assert "825 days" in assess(chain).reason


def test_an_intermediate_that_has_ended_breaks_the_chain() -> None:
    issuing = TestAuthority("Old", parent=ROOT, not_before=NOW - 90 * DAY, not_after=NOW - DAY)
    assert assess(issuing.issue(KEY, dns=["room.example.com"], **LIFE)).assurance is Assurance.UNKNOWN


def test_without_a_clock_nothing_is_verified_and_the_reason_says_so() -> None:
    verdict = assess(ISSUING.issue(KEY, dns=["room.example.com"], **LIFE), now=None)
    assert verdict.assurance is Assurance.UNKNOWN
    assert "clock" in verdict.reason


def test_a_missing_intermediate_is_unknown() -> None:
    chain = ISSUING.issue(KEY, dns=["room.example.com"], **LIFE)
    assert assess(chain[:1]).reason == "nobody whom this device trusts vouches for room.example.com"


def test_an_empty_store_trusts_nobody() -> None:
    chain = ISSUING.issue(KEY, dns=["room.example.com"], **LIFE)
    assert assess(chain, TrustStore()).assurance is Assurance.UNKNOWN


def test_a_leaf_that_is_an_authority_is_unknown() -> None:
    chain = ROOT.issue(KEY, dns=["room.example.com"], is_authority=True, **LIFE)
    assert "authority" in assess(chain).reason


def test_an_ordinary_leaf_cannot_issue() -> None:
    rogue = TestAuthority("Rogue", **CA_LIFE)
    leaf = ROOT.issue(rogue.key, dns=["rogue.example.com"], common_name="Rogue", **LIFE)
    chain = (*rogue.issue(KEY, dns=["room.example.com"], **LIFE), *leaf)
    assert assess(chain).assurance is Assurance.UNKNOWN


def test_an_unknown_critical_extension_is_refused() -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    chain = ROOT.issue(KEY, dns=["room.example.com"], critical=extension, **LIFE)
    assert assess(chain).assurance is Assurance.UNKNOWN


@pytest.mark.parametrize(
    ("name", "assurance"),
    [
        ("room.example.com", Assurance.VERIFIED),
        ("room.example.org", Assurance.UNKNOWN),
        ("room.notexample.com", Assurance.UNKNOWN),
    ],
)
def test_dns_name_constraints_of_an_authority_hold(name: str, assurance: Assurance) -> None:
    issuing = TestAuthority("Limited", parent=ROOT, permitted_dns=["example.com"], **CA_LIFE)
    assert assess(issuing.issue(KEY, dns=[name], **LIFE)).assurance is assurance


def test_a_mail_address_outside_an_authoritys_name_constraints_is_unknown() -> None:
    issuing = TestAuthority("Limited", parent=ROOT, permitted_email=["example.com"], **CA_LIFE)
    assert assess(issuing.issue(KEY, email=["ann@example.org"], **LIFE)).assurance is Assurance.UNKNOWN


@pytest.mark.parametrize(
    ("name", "assurance"),
    [
        ("example.com", Assurance.VERIFIED),
        ("a.b.example.com", Assurance.VERIFIED),
        ("notexample.com", Assurance.UNKNOWN),
        ("example.com.evil.org", Assurance.UNKNOWN),
    ],
)
def test_an_anchor_vouches_for_its_domains_only(name: str, assurance: Assurance) -> None:
    store = TrustStore((verified(ROOT, "Example.com"),))
    assert assess(ROOT.issue(KEY, dns=[name], **LIFE), store).assurance is assurance
    assert assess(ROOT.issue(KEY, email=[f"ann@{name}"], **LIFE), store).assurance is assurance


def test_a_chain_beyond_its_anchors_domains_gets_a_reason_of_its_own() -> None:
    store = TrustStore((verified(ROOT, "example.com"),))
    assert (
        "not trusted for that domain" in assess(ROOT.issue(KEY, dns=["a.example.org"], **LIFE), store).reason
    )


def test_an_anchor_for_the_domain_serves_where_another_on_the_path_may_not() -> None:
    intermediate = Anchor(ISSUING.certificate, Assurance.VERIFIED, ("example.org",), "issuing")
    for anchors in ((intermediate, verified(ROOT)), (verified(ROOT), intermediate)):
        chain = ISSUING.issue(KEY, dns=["room.example.com"], **LIFE)
        assert assess(chain, TrustStore(anchors)).anchor == "public"


def test_the_providers_ca_never_makes_anyone_verified() -> None:
    verdict = assess(PROVIDER.issue(KEY, dns=["boss.example.com"], **LIFE))
    assert (verdict.assurance, verdict.name) == (Assurance.PROVIDER, "boss.example.com")


def test_the_reason_of_a_provider_s_name_is_the_one_that_fits_on_a_panel_s_card() -> None:
    assert assess(PROVIDER.issue(KEY, dns=["boss.example.com"], **LIFE)).reason == views.WAITING.reason


def test_a_provider_ca_cross_signed_by_a_verified_root_stays_provider() -> None:
    cross = TestAuthority("Provider", parent=ROOT, key=PROVIDER.key, **CA_LIFE)
    assert assess(cross.issue(KEY, dns=["boss.example.com"], **LIFE)).assurance is Assurance.PROVIDER


def test_the_providers_key_under_another_name_stays_provider() -> None:
    cross = TestAuthority("Innocent", parent=ROOT, key=PROVIDER.key, **CA_LIFE)
    assert assess(cross.issue(KEY, dns=["boss.example.com"], **LIFE)).assurance is Assurance.PROVIDER


def test_the_providers_key_as_an_anchor_for_verified_identities_stays_provider() -> None:
    other = TestAuthority("Innocent", key=PROVIDER.key, **CA_LIFE)
    store = TrustStore((verified(other), PROVIDER_ANCHOR))
    assert assess(other.issue(KEY, dns=["boss.example.com"], **LIFE), store).assurance is Assurance.PROVIDER


def test_an_intermediate_that_both_signed_stays_provider() -> None:
    by_root = TestAuthority("Shared", parent=ROOT, **CA_LIFE)
    by_provider = TestAuthority("Shared", parent=PROVIDER, key=by_root.key, **CA_LIFE)
    leaf = by_root.issue(KEY, dns=["boss.example.com"], **LIFE)[0]
    for others in ((by_root.der, by_provider.der), (by_provider.der, by_root.der)):
        assert assess((leaf, *others)).assurance is Assurance.PROVIDER


def test_the_same_ca_for_both_kinds_is_provider() -> None:
    store = TrustStore((verified(PROVIDER), PROVIDER_ANCHOR))
    assert assess(PROVIDER.issue(KEY, dns=["a.example.com"], **LIFE), store).assurance is Assurance.PROVIDER


def test_a_providers_chain_undergoes_the_same_checks_of_the_leaf() -> None:
    assert assess(PROVIDER.issue(KEY, dns=["*.example.com"], **LIFE)).assurance is Assurance.UNKNOWN


@pytest.mark.parametrize("which", ["leaf", "intermediate", "anchor"])
def test_a_blocked_key_refuses_the_chain_wherever_it_stands(which: str) -> None:
    chain = ISSUING.issue(KEY, dns=["room.example.com"], **LIFE)
    certificate = {
        "leaf": x509.load_der_x509_certificate(chain[0]),
        "intermediate": ISSUING.certificate,
        "anchor": ROOT.certificate,
    }[which]
    store = STORE.with_blocked(keys=[fingerprint_of(certificate).upper()])
    assert assess(chain, store).reason == "a key in the chain is blocked on this device"
    assert assess(chain, store.without_blocked(keys=store.blocked_keys)).assurance is Assurance.VERIFIED


def test_a_blocked_name_is_refused_however_the_admin_spelled_it() -> None:
    chain = ISSUING.issue(KEY, dns=["room.example.com"], **LIFE)
    store = STORE.with_blocked(names=["Room.Example.COM"])
    assert "blocked" in assess(chain, store).reason
    assert assess(chain, store.without_blocked(names=["ROOM.example.com"])) == assess(chain)


def test_blocks_that_would_block_nothing_are_refused() -> None:
    with pytest.raises(AnchorError, match="64 hexadecimal"):
        STORE.with_blocked(keys=["ab:cd"])
    with pytest.raises(NameFormatError):
        STORE.with_blocked(names=["*.example.com"])


def test_an_anchor_is_replaced_and_removed_by_name() -> None:
    narrower = verified(ROOT, "example.com", label="narrow")
    store = STORE.with_anchors([narrower])
    assert store.anchors == (PROVIDER_ANCHOR, narrower)
    assert store.without_anchor("narrow").anchors == (PROVIDER_ANCHOR,)
    assert store.without_anchor(narrower.fingerprint).anchors == (PROVIDER_ANCHOR,)
    assert store.without_anchor("absent") is store


@pytest.mark.parametrize("chain", [(), (b"",), (b"\x30\x00",), (b"x",) * 9, (bytes(20000),)], ids=len)
def test_bytes_that_are_no_chain_are_unknown(chain: tuple[bytes, ...]) -> None:
    verdict = assess(chain)
    assert (verdict.assurance, verdict.name, verdict.not_after) == (Assurance.UNKNOWN, "", 0)


GOOD = ISSUING.issue(KEY, dns=["room.example.com"], **LIFE)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1), st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_no_changed_byte_makes_it_raise_or_verifies(which: int, at: int, new: bytes) -> None:
    target = GOOD[which]
    at %= len(target)
    changed = target[:at] + new + target[at + len(new) :]
    chain = (changed, GOOD[1]) if which == 0 else (GOOD[0], changed)
    verdict = assess(chain)
    assert verdict.assurance is (Assurance.VERIFIED if chain == GOOD else Assurance.UNKNOWN)


def verdict_of(name: str, assurance: Assurance, name_type: NameType | None = NameType.DNS) -> Verdict:
    return Verdict(assurance, name_type, name, "because", "", 0)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (("a.example", "verified"), ("a.example", "verified"), None),
        (("a.example", "provider"), ("a.example", "verified"), None),
        (("a.example", "verified"), ("b.example", "verified"), "the name changed"),
        (("a.example", "verified"), ("a.example", "provider"), "fell from verified to provider: because"),
        (("a.example", "provider"), ("a.example", "unknown"), "fell from provider to unknown"),
    ],
)
def test_a_successor_keeps_the_name_and_loses_no_assurance(
    old: tuple[str, str], new: tuple[str, str], reason: str | None
) -> None:
    found = check_successor(verdict_of(old[0], Assurance(old[1])), verdict_of(new[0], Assurance(new[1])))
    assert found is None if reason is None else reason in (found or "")


def test_a_successor_keeps_the_kind_of_name() -> None:
    room = verdict_of("a.example", Assurance.VERIFIED)
    assert check_successor(room, verdict_of("a.example", Assurance.VERIFIED, NameType.EMAIL))
    assert check_successor(room, verdict_of("", Assurance.UNKNOWN, None))


def test_an_anchor_is_made_of_authorities_only() -> None:
    leaf = x509.load_der_x509_certificate(GOOD[0])
    with pytest.raises(AnchorError, match="not a certificate authority"):
        Anchor(leaf, Assurance.VERIFIED)
    with pytest.raises(AnchorError):
        Anchor(ROOT.certificate, Assurance.UNKNOWN)
    with pytest.raises(AnchorError, match="domain"):
        Anchor(ROOT.certificate, Assurance.VERIFIED, ("*.example.com",))


@pytest.mark.parametrize(
    "pem", ["", "hello", "-----BEGIN PRIVATE KEY-----\n", "-----BEGIN CERTIFICATE-----\n"]
)
def test_a_text_without_certificates_gives_no_anchor(pem: str) -> None:
    with pytest.raises(AnchorError):
        parse_anchor_pem(pem, kind=Assurance.VERIFIED)


def test_a_bundle_gives_one_anchor_a_certificate() -> None:
    anchors = parse_anchor_pem(f"# roots\n{ROOT.root_pem}\n{PROVIDER.root_pem}", kind=Assurance.VERIFIED)
    assert [anchor.certificate for anchor in anchors] == [ROOT.certificate, PROVIDER.certificate]
