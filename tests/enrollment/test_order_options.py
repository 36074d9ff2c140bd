"""What an order can say beside the name: profile, what it replaces; and which chain is taken."""

from pathlib import Path

import pytest

from conclave_provisioning.enrollment import (
    AcmeAccount,
    AcmeSettings,
    Certificate,
    Enrollment,
    ProfileError,
    RefusedError,
    StagingError,
    certificate_id,
)
from conclave_provisioning.enrollment.chain import top_issuer
from tests.enrollment.conftest import MakeSettings
from tests.enrollment.faults import Fault, FaultyCa
from tests.enrollment.signers import KeyInMemory

pytestmark = pytest.mark.asyncio(loop_scope="session")
DOMAIN = "room.example.com"
WINDOW: dict[str, object] = {
    "suggestedWindow": {"start": "2026-01-02T04:00:00Z", "end": "2026-01-03T04:00:00Z"}
}


async def enroll(settings: AcmeSettings, folder: Path, **options: object) -> Certificate:
    enrollment = Enrollment(settings, folder / "state")
    certificate = await enrollment.enroll(DOMAIN, KeyInMemory(), **options)  # type: ignore[arg-type]
    enrollment.confirm()
    return certificate


async def test_a_profile_that_the_ca_offers_is_ordered(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.profiles = {"shortlived": "six days", "tlsserver": "ninety"}
    await enroll(reach(profile="shortlived"), tmp_path)
    assert ca.orders()[0]["profile"] == "shortlived"


@pytest.mark.parametrize(
    ("offered", "words"), [({"a": "", "b": ""}, "it has a, b"), ({}, "it has none")], ids=["some", "none"]
)
async def test_a_profile_that_the_ca_does_not_offer_is_refused_before_an_order(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path, offered: dict[str, str], words: str
) -> None:
    ca.profiles = offered
    with pytest.raises(ProfileError, match=words) as caught:
        await enroll(reach(profile="shortlived"), tmp_path)
    assert (caught.value.kind, ca.orders()) == ("no_such_profile", [])


async def test_without_a_profile_none_is_ordered(ca: FaultyCa, reach: MakeSettings, tmp_path: Path) -> None:
    await enroll(reach(), tmp_path)
    assert set(ca.orders()[0]) == {"identifiers"}


async def test_an_order_under_another_profile_is_left_aside(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.profiles = {"shortlived": "", "tlsserver": ""}
    signer = KeyInMemory()
    await Enrollment(reach(profile="tlsserver"), tmp_path).enroll(DOMAIN, signer)
    await Enrollment(reach(profile="shortlived"), tmp_path).enroll(DOMAIN, signer)
    assert [order["profile"] for order in ca.orders()] == ["tlsserver", "shortlived"]


async def test_the_chain_to_the_preferred_root_is_taken(reach: MakeSettings, tmp_path: Path) -> None:
    usual = await enroll(reach(), tmp_path)
    # Pebble's alternate chain leads to another root, under a name of the same form.
    names = {top_issuer(usual.chain)}
    other = await enroll(reach(preferred_chain="nobody"), tmp_path)
    offered = other.notes[0].rpartition("only to ")[2].split(", ")
    assert names < set(offered)
    (wanted,) = set(offered) - names
    taken = await enroll(reach(preferred_chain=wanted), tmp_path)
    assert (top_issuer(taken.chain), taken.notes) == (wanted, ())


async def test_a_chain_that_the_ca_does_not_offer_is_noted_and_its_own_choice_taken(
    reach: MakeSettings, tmp_path: Path
) -> None:
    usual = await enroll(reach(), tmp_path)
    taken = await enroll(reach(preferred_chain="nobody"), tmp_path)
    assert top_issuer(taken.chain) == top_issuer(usual.chain)
    assert taken.notes[0].startswith("the CA offers no chain to nobody, only to Pebble Root CA")


async def test_the_ca_hears_which_certificate_is_replaced(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.renewal_info = WINDOW
    present = (await enroll(reach(), tmp_path)).chain[0]
    renewed = await enroll(reach(), tmp_path, present=present)
    first, second = ca.orders()
    assert "replaces" not in first
    assert second["replaces"] == identifier_of(present)
    assert renewed.notes == ()


def identifier_of(leaf: bytes) -> str | None:
    from cryptography import x509

    return certificate_id(x509.load_der_x509_certificate(leaf))


async def test_a_ca_without_renewal_information_hears_nothing(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    present = (await enroll(reach(), tmp_path)).chain[0]
    await enroll(reach(), tmp_path, present=present)
    assert "replaces" not in ca.orders()[1]


async def test_a_certificate_of_another_domain_is_not_replaced(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.renewal_info = WINDOW
    present = (await enroll(reach(), tmp_path)).chain[0]
    await Enrollment(reach(), tmp_path).enroll("other.example.com", KeyInMemory(), present=present)
    assert "replaces" not in ca.orders()[1]


async def test_a_ca_that_does_not_want_to_hear_it_gets_the_order_without(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.renewal_info = WINDOW
    present = (await enroll(reach(), tmp_path)).chain[0]
    await enroll(reach(), tmp_path, present=present)
    again = await enroll(reach(), tmp_path, present=present)
    assert again.notes == ("the order does not say what it replaces: it is replaced already",)
    assert ["replaces" in order for order in ca.orders()] == [False, True, True, False]


async def test_a_refusal_that_is_not_about_it_stays_a_refusal(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.renewal_info = WINDOW
    present = (await enroll(reach(), tmp_path)).chain[0]
    ca.fail("/order-plz", Fault(status=400, problem="rejectedIdentifier"))
    with pytest.raises(RefusedError, match="rejectedIdentifier"):
        await enroll(reach(), tmp_path, present=present)
    assert len(ca.orders()) == 2


async def test_the_cas_window_is_read_with_its_reason_and_when_to_ask_again(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.renewal_info = WINDOW | {"explanationURL": "https://ca.example/why"}
    ca.renewal_headers = {"Retry-After": "21600"}
    leaf = (await enroll(reach(), tmp_path)).chain[0]
    info = await AcmeAccount(reach(), tmp_path).renewal_info(leaf)
    assert info is not None
    assert (info.end - info.start, info.retry_after_s) == (86400.0, 21600.0)
    assert info.explanation_url == "https://ca.example/why"
    assert ca.asked[-1].path == f"/renewal-info/{identifier_of(leaf)}"


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"suggestedWindow": {}},
        {"suggestedWindow": {"start": "2026-01-02T00:00:00Z", "end": "2026-01-02T00:00:00Z"}},
        {"suggestedWindow": {"start": "soon", "end": "later"}},
        {"suggestedWindow": 3},
    ],
    ids=str,
)
async def test_a_window_that_is_none_is_a_typed_error(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path, info: dict[str, object]
) -> None:
    ca.renewal_info = WINDOW
    leaf = (await enroll(reach(), tmp_path)).chain[0]
    ca.renewal_info = info
    with pytest.raises(Exception, match=r"not ACME|before it begins"):
        await AcmeAccount(reach(), tmp_path).renewal_info(leaf)


async def test_a_ca_without_renewal_information_gives_none(reach: MakeSettings, tmp_path: Path) -> None:
    leaf = (await enroll(reach(), tmp_path)).chain[0]
    assert await AcmeAccount(reach(), tmp_path).renewal_info(leaf) is None


async def test_a_staging_certificate_never_comes_in_the_place_of_a_real_one(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    real = await enroll(reach(), tmp_path)
    with pytest.raises(StagingError) as caught:
        await enroll(reach(staging=True), tmp_path, present=real.chain[0])
    assert (caught.value.kind, real.is_staging, len(ca.orders())) == ("staging", False, 1)


async def test_a_staging_certificate_may_follow_another_and_a_real_one_may_follow_it(
    reach: MakeSettings, tmp_path: Path
) -> None:
    first = await enroll(reach(staging=True), tmp_path)
    second = await enroll(reach(staging=True), tmp_path, present=first.chain[0])
    assert first.is_staging
    assert second.is_staging
    assert not (await enroll(reach(), tmp_path, present=second.chain[0])).is_staging


@pytest.mark.parametrize(
    ("url", "said", "is_staging"),
    [
        ("https://acme-staging-v02.api.letsencrypt.org/directory", None, True),
        ("https://acme-v02.api.letsencrypt.org/directory", None, False),
        ("https://acme-staging-v02.api.letsencrypt.org/directory", False, False),
        ("https://ca.example/dir", True, True),
    ],
)
async def test_a_staging_ca_is_known_by_its_address_unless_the_settings_say(
    tmp_path: Path, url: str, said: bool | None, is_staging: bool
) -> None:
    settings = AcmeSettings(url, agree_terms=True, token_directory=tmp_path, staging=said)
    assert settings.is_staging is is_staging
