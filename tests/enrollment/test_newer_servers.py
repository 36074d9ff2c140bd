"""Against the newest servers, where Go is there to build them: renewal information, profiles, short lives."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from conclave_provisioning.enrollment import (
    AcmeAccount,
    AcmeSettings,
    Certificate,
    ChallengeKind,
    Enrollment,
    ProfileError,
    RecordNotSeenError,
    RenewalWatch,
)
from conclave_provisioning.enrollment.http01 import ChallengeServer
from tests.enrollment.conftest import serving
from tests.enrollment.go_servers import ServerMissing, program
from tests.enrollment.signers import KeyInMemory
from tests.enrollment.step_ca import StepCa
from tests.knot import KEY_NAME, Knot
from tests.pebble import Pebble

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.e2e]
DOMAIN = "room.example.com"
SHORT_S = 20


def built(name: str) -> Path:
    try:
        return program(name)
    except ServerMissing as missing:
        print(f"*not proven* with {name}: {missing}")
        pytest.skip(f"not proven with {name}: {missing}")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def newer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pebble]:
    directory = tmp_path_factory.mktemp("newer") / "pebble"
    async with Pebble(
        directory,
        program=str(built("pebble")),
        profiles={"default": 47 * 86400, "shortlived": SHORT_S},
    ) as running:
        yield running


@pytest.fixture(scope="module")
def tokens(newer: Pebble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("newer-tokens")
    with serving(ChallengeServer(("127.0.0.1", newer.http_port), directory)):
        yield directory


def settings(newer: Pebble, tokens: Path, **changes: object) -> AcmeSettings:
    values: dict[str, object] = {
        "directory_url": newer.directory_url,
        "agree_terms": True,
        "ca_file": newer.ca_file,
        "token_directory": tokens,
        "deadline_s": 30.0,
    }
    return AcmeSettings(**(values | changes))  # type: ignore[arg-type]


async def enroll(configured: AcmeSettings, folder: Path, present: bytes | None = None) -> Certificate:
    enrollment = Enrollment(configured, folder)
    certificate = await enrollment.enroll(DOMAIN, KeyInMemory(), present=present)
    enrollment.confirm()
    return certificate


def usages(leaf: bytes) -> list[x509.ObjectIdentifier]:
    certificate = x509.load_der_x509_certificate(leaf)
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


async def test_a_leaf_for_servers_alone_is_taken(newer: Pebble, tokens: Path, tmp_path: Path) -> None:
    certificate = await enroll(settings(newer, tokens), tmp_path)
    assert usages(certificate.chain[0]) == [ExtendedKeyUsageOID.SERVER_AUTH]


async def test_a_real_profile_is_ordered_and_another_refused(
    newer: Pebble, tokens: Path, tmp_path: Path
) -> None:
    certificate = await enroll(settings(newer, tokens, profile="shortlived"), tmp_path)
    assert SHORT_S - 1 <= certificate.not_after - certificate.not_before <= SHORT_S
    with pytest.raises(ProfileError, match="it has default, shortlived"):
        await enroll(settings(newer, tokens, profile="classic"), tmp_path)


async def test_a_real_window_lies_in_the_life_and_moves_when_the_certificate_is_revoked(
    newer: Pebble, tokens: Path, tmp_path: Path
) -> None:
    configured = settings(newer, tokens)
    certificate = await enroll(configured, tmp_path)
    leaf, account = certificate.chain[0], AcmeAccount(configured, tmp_path)
    info = await account.renewal_info(leaf)
    assert info is not None
    assert certificate.not_before <= info.start < info.end <= certificate.not_after
    assert await account.revoke(leaf, reason=1)
    moved = await account.renewal_info(leaf)
    assert moved is not None
    assert moved.start < time.time()


async def test_a_real_ca_hears_what_is_replaced_and_refuses_it_twice(
    newer: Pebble, tokens: Path, tmp_path: Path
) -> None:
    configured = settings(newer, tokens)
    first = await enroll(configured, tmp_path)
    second = await enroll(configured, tmp_path, first.chain[0])
    assert second.notes == ()
    third = await enroll(configured, tmp_path, first.chain[0])
    assert third.notes[0].startswith("the order does not say what it replaces")


async def test_certificates_of_twenty_seconds_are_renewed_in_time_and_no_oftener(
    newer: Pebble, tokens: Path, tmp_path: Path
) -> None:
    configured = settings(newer, tokens, profile="shortlived")
    watch = RenewalWatch(configured, tmp_path)
    present = await enroll(configured, tmp_path)
    until, issued = time.time() + SHORT_S * 1.5, 0
    while time.time() < until:
        plan = await watch.look(present.chain[0])
        now = time.time()
        assert now < present.not_after
        if plan.renew_at > now:
            await asyncio.sleep(min(max(plan.wake_at - now, 0.01), until - now + 0.01))
            continue
        present = await enroll(configured, tmp_path, present.chain[0])
        issued += 1
    # Where in the CA's window a renewal falls is chance; a quarter of a life is the least rest between two.
    assert 1 <= issued <= 6


async def test_a_standing_record_is_waited_for_and_then_serves_every_order(
    tmp_path: Path,
) -> None:
    zones = {"example.com": "room A 127.0.0.1\n"}
    async with (
        Knot(tmp_path / "knot", zones) as knot,
        Pebble(tmp_path / "pebble", program=str(built("pebble")), dns_server=knot.address) as newer,
    ):
        configured = settings(
            newer,
            tmp_path,
            challenge=ChallengeKind.DNS_PERSIST_01,
            resolvers=(knot.address,),
            dns_port=knot.port,
            dns_timeout_s=0.5,
        )
        account = AcmeAccount(configured, tmp_path / "state")
        record = await account.persistent_record(DOMAIN)
        assert not await account.sees(record)
        with pytest.raises(RecordNotSeenError) as caught:
            await enroll(configured, tmp_path / "state")
        assert record.zone_line in str(caught.value)
        await asyncio.to_thread(write_record, knot, record.name, record.value)
        assert await account.sees(record)
        for _ in range(2):
            assert (await enroll(configured, tmp_path / "state")).domain == DOMAIN


def write_record(knot: Knot, name: str, value: str) -> None:
    """What the admin does once."""
    from conclave_provisioning.enrollment import DnsUpdateSettings
    from conclave_provisioning.enrollment.challenge import DnsView, UpdateDnsProvider

    update = DnsUpdateSettings(knot.address, KEY_NAME, knot.key_file)
    UpdateDnsProvider(update, DnsView([knot.address], port=knot.port), wait_s=5).present(name, value)


async def test_a_private_ca_with_its_own_root_and_short_lives(newer: Pebble, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    async with StepCa(
        built("step-ca"), tmp_path / "step", dns_server=newer.dns_address, validity_s=SHORT_S
    ) as step:
        with serving(ChallengeServer(("127.0.0.1", step.http_port), tokens)):
            configured = AcmeSettings(
                step.directory_url, agree_terms=True, ca_file=step.ca_file, token_directory=tokens
            )
            certificate = await enroll(configured, tmp_path / "state")
            assert usages(certificate.chain[0]) == [ExtendedKeyUsageOID.SERVER_AUTH]
            assert certificate.not_after - certificate.not_before <= SHORT_S + 60
            account = AcmeAccount(configured, tmp_path / "state")
            assert await account.revoke(certificate.chain[0]) is True
            assert await account.revoke(certificate.chain[0]) is False
