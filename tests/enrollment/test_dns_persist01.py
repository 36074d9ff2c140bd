"""dns-persist-01 at a CA that follows draft 02: Debian's Pebble, whose offer the proxy rewrites."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from conclave_provisioning.enrollment import (
    AcmeAccount,
    AcmeSettings,
    BadResponseError,
    ChallengeKind,
    Enrollment,
    EnrollmentError,
    RecordNotSeenError,
)
from conclave_provisioning.enrollment.challenge import DnsView, UpdateDnsProvider
from tests.enrollment.conftest import MakeSettings
from tests.enrollment.faults import Fault, FaultyCa
from tests.enrollment.signers import KeyInMemory
from tests.enrollment.test_dns_update import update_settings
from tests.knot import Knot

pytestmark = pytest.mark.asyncio(loop_scope="session")
DOMAIN = "room.example.com"
META: dict[str, object] = {
    "issuerDomainNames": ["ca.example"],
    "accountHashPrefix": "https://ca.example/account-hash/",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def knot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Knot]:
    async with Knot(tmp_path_factory.mktemp("knot"), {"example.com": "room A 127.0.0.1\n"}) as running:
        yield running


def offering(*issuers: str) -> Callable[[bytes], bytes]:
    """An authorization whose first challenge is dns-persist-01."""

    def rewrite(body: bytes) -> bytes:
        authorization = json.loads(body)
        challenge = authorization["challenges"][0]
        challenge |= {"type": "dns-persist-01", "issuerDomainNames": list(issuers)}
        challenge.pop("token", None)
        authorization["challenges"] = [challenge]
        return json.dumps(authorization).encode()

    return rewrite


@pytest.fixture
def configured(ca: FaultyCa, reach: MakeSettings, knot: Knot) -> AcmeSettings:
    ca.meta = META
    return replace(
        reach(),
        challenge=ChallengeKind.DNS_PERSIST_01,
        resolvers=(knot.address,),
        dns_port=knot.port,
        dns_timeout_s=0.2,
    )


async def error_of(settings: AcmeSettings, folder: Path) -> EnrollmentError:
    with pytest.raises(EnrollmentError) as caught:
        await Enrollment(settings, folder).enroll(DOMAIN, KeyInMemory())
    return caught.value


async def test_the_record_that_is_missing_is_the_one_that_was_named_before(
    ca: FaultyCa, configured: AcmeSettings, tmp_path: Path
) -> None:
    ca.fail("/authZ", Fault(body=offering("other.example", "ca.example")), times=9)
    record = await AcmeAccount(configured, tmp_path).persistent_record(DOMAIN)
    error = await error_of(configured, tmp_path)
    assert isinstance(error, RecordNotSeenError)
    assert record.accounts[0] in str(error)
    assert ca.count("/chalZ") == 0


async def test_the_ca_is_told_to_look_when_the_record_stands(
    ca: FaultyCa, configured: AcmeSettings, knot: Knot, tmp_path: Path
) -> None:
    record = await AcmeAccount(configured, tmp_path).persistent_record(DOMAIN)
    provider = UpdateDnsProvider(update_settings(knot), DnsView([knot.address]), wait_s=1)
    provider.present(record.name, f"{record.value}; policy=wildcard")
    assert await AcmeAccount(configured, tmp_path).sees(record)
    ca.fail("/authZ", Fault(body=offering("ca.example")), times=99)
    # This CA then looks for what it offered itself, which is not there; but it has been told to look.
    error = await error_of(configured, tmp_path)
    assert error.kind in ("validation_failed", "challenge_unreachable")
    assert ca.count("/chalZ") == 1
    answered = next(asked for asked in ca.asked if asked.path.startswith("/chalZ"))
    assert answered.payload == {}


@pytest.mark.parametrize("issuers", [(), ("other.example",), ("CA.example",)], ids=str)
async def test_a_challenge_that_does_not_fit_the_directory_is_refused(
    ca: FaultyCa, configured: AcmeSettings, tmp_path: Path, issuers: tuple[str, ...]
) -> None:
    ca.fail("/authZ", Fault(body=offering(*issuers)), times=9)
    assert isinstance(await error_of(configured, tmp_path), BadResponseError)


async def test_a_ca_that_offers_other_challenges_only_names_them(
    configured: AcmeSettings, tmp_path: Path
) -> None:
    error = await error_of(configured, tmp_path)
    assert str(error) == f"the CA offers no dns-persist-01 for {DOMAIN}"
    assert "http-01" in error.hint
