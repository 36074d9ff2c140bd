"""The standing record of dns-persist-01, in both of its drafts."""

import pytest

from conclave_provisioning.enrollment import BadResponseError
from conclave_provisioning.enrollment.challenge.persistent_record import PersistentRecord, persistent_record

ACCOUNT = "https://ca.example/acct/123"
# The key of RFC 7638 §3.1, which draft-ietf-acme-dns-persist-02 §10.2 uses too.
THUMBPRINT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
HASH = "https://ca.example/account-hash/sha-256/"
NOW = 1_767_225_600.0


def make(
    hash_prefix: str | None = None, issuers: tuple[object, ...] = ("authority.example",)
) -> PersistentRecord:
    return persistent_record(
        "example.com",
        issuers=issuers,
        account_url=ACCOUNT,
        hash_prefix=hash_prefix,
        key_thumbprint=THUMBPRINT,
    )


def test_draft_01_names_the_account() -> None:
    record = make()
    assert record.name == "_validation-persist.example.com"
    assert record.value == f"authority.example; accounturi={ACCOUNT}"
    assert record.zone_line == f'_validation-persist.example.com. IN TXT "{record.value}"'


def test_draft_02_hashes_account_key_and_domain_as_in_its_own_example() -> None:
    record = make("https://ca.example/account-hash/")
    assert record.value.endswith(f"accounturi={HASH}5SQm7n6tPh2-PlLbCKGnViTXX5z19SCN4cPGQHSk-kw")
    everywhere = f"authority.example; accounturi={HASH}NpDnSwUthQK8zCgFdefYxAdAVPnygMLbs9US6oO-5ug"
    assert record.is_met_by(record.value, now=NOW)
    assert record.is_met_by(everywhere, now=NOW)
    assert not record.is_met_by(f"authority.example; accounturi={ACCOUNT}", now=NOW)


def test_a_long_record_is_cut_into_strings_that_dns_can_carry() -> None:
    record = PersistentRecord("example.com", ("authority.example",), ("https://ca.example/" + "a" * 500,))
    pieces = record.zone_line.partition(" TXT ")[2].strip('"').split('" "')
    assert "".join(pieces) == record.value
    assert max(len(piece) for piece in pieces) == 255


@pytest.mark.parametrize(
    "text",
    [
        f"authority.example;accounturi={ACCOUNT}",
        f" AUTHORITY.example. ;\taccounturi = {ACCOUNT} ",
        f"other.example; accounturi={ACCOUNT}",
        f"authority.example; accounturi={ACCOUNT}; policy=wildcard; unheard=of",
        f"authority.example; accounturi={ACCOUNT}; persistUntil=1767225600",
    ],
)
def test_a_record_that_says_the_same_is_seen(text: str) -> None:
    assert make(issuers=("authority.example", "other.example")).is_met_by(text, now=NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "authority.example",
        f"stranger.example; accounturi={ACCOUNT}",
        f"authority.example; accounturi={ACCOUNT}4",
        f"authority.example; accounturi={ACCOUNT.upper()}",
        f"authority.example; accounturi={ACCOUNT}; persistUntil=1767225599",
        f"authority.example; accounturi={ACCOUNT}; persistUntil=soon",
        f"authority.example; accounturi={ACCOUNT}; persistUntil=-1",
        f"authority.example; accounturi={ACCOUNT}; accounturi={ACCOUNT}",
        f"authority.example; accounturi={ACCOUNT};",
    ],
)
def test_any_other_record_is_not(text: str) -> None:
    assert not make().is_met_by(text, now=NOW)


@pytest.mark.parametrize(
    "issuers",
    [(), ("CA.example",), ("ca.example.",), ("ca.example; policy=wildcard",), (None,), ("ca.example",) * 11],
    ids=str,
)
def test_names_of_a_ca_that_are_not_in_order_are_refused(issuers: tuple[object, ...]) -> None:
    with pytest.raises(BadResponseError):
        make(issuers=issuers)


@pytest.mark.parametrize("prefix", ["https://ca.example/;policy=wildcard;", "https://ca.example/ ", "x\n"])
def test_a_prefix_that_would_change_the_record_is_refused(prefix: str) -> None:
    with pytest.raises(BadResponseError):
        make(prefix)
