"""Orders against a real ACME server that rejects half of its own nonces."""

import asyncio
import base64
import json
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from conclave_provisioning.enrollment import (
    AcmeSettings,
    BadDomainError,
    BadResponseError,
    BusyError,
    Certificate,
    ChallengeKind,
    ChallengeSetupError,
    Enrollment,
    EnrollmentCancelledError,
    EnrollmentTimeoutError,
    Progress,
    RefusedError,
    SettingsError,
    StateError,
    Step,
    UnreachableError,
    ValidationFailedError,
)
from conclaved.identity import Assurance, TrustStore, parse_anchor_pem
from tests.enrollment.conftest import MakeSettings, settings_for
from tests.enrollment.signers import KeyInMemory
from tests.pebble import Pebble, free_ports
from tests.pki import TestAuthority, pem_of

pytestmark = pytest.mark.asyncio(loop_scope="session")
DOMAIN = "room.example.com"


class PowerCutError(Exception):
    """Stands for the moment at which the device goes dark."""


def files_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def orders_of(pebble: Pebble) -> int:
    """How many certificates it has issued."""
    return (pebble.directory / "pebble.log").read_text().count("Issued certificate serial")


def check(certificate: Certificate, signer: KeyInMemory, domain: str = DOMAIN) -> None:
    leaf = x509.load_der_x509_certificate(certificate.chain[0])
    assert leaf.public_key() == signer.certificate_public_key
    assert certificate.domain == domain
    assert certificate.not_after == leaf.not_valid_after_utc.timestamp()


@pytest.mark.parametrize(
    "challenge", [ChallengeKind.HTTP_01, ChallengeKind.DNS_01, ChallengeKind.TLS_ALPN_01]
)
async def test_a_domain_becomes_a_certificate_though_half_of_the_nonces_are_rejected(
    make_settings: MakeSettings, token_directory: Path, tmp_path: Path, challenge: ChallengeKind
) -> None:
    signer = KeyInMemory()
    seen: list[Progress] = []
    enrollment = Enrollment(make_settings(challenge=challenge), tmp_path)
    certificate = await enrollment.enroll("Room.Example.com", signer, progress=seen.append)
    check(certificate, signer)
    assert [step.step for step in seen][-5:] == list(Step)[1:]
    assert signer.signatures == 1
    assert files_in(token_directory) == {}


async def test_what_the_ca_issues_is_verified_under_its_root(
    make_settings: MakeSettings, pebble: Pebble, tmp_path: Path
) -> None:
    signer = KeyInMemory()
    certificate = await Enrollment(make_settings(), tmp_path).enroll(DOMAIN, signer)
    store = TrustStore(parse_anchor_pem(pebble.root_pem, kind=Assurance.VERIFIED, label="pebble"))
    verdict = store.assess(certificate.chain, signer.public_key, now=certificate.not_before + 60)
    assert (verdict.assurance, verdict.name) == (Assurance.VERIFIED, DOMAIN)


async def test_the_account_is_kept_and_its_key_readable_by_its_owner_only(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    enrollment = Enrollment(make_settings(), tmp_path)
    await enrollment.enroll(DOMAIN, KeyInMemory())
    key, account = ((tmp_path / name).read_bytes() for name in ("account.key", "account.json"))
    enrollment.confirm()
    seen: list[Progress] = []
    await enrollment.enroll(DOMAIN, KeyInMemory(), progress=seen.append)
    assert [step.text for step in seen if step.text == "registering an account"] == []
    assert (tmp_path / "account.key").read_bytes() == key
    assert (tmp_path / "account.json").read_bytes() == account
    assert stat.S_IMODE((tmp_path / "account.key").stat().st_mode) == 0o600


async def test_a_lost_account_file_is_found_again_by_its_key(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    enrollment = Enrollment(make_settings(), tmp_path)
    await enrollment.enroll(DOMAIN, KeyInMemory())
    account = (tmp_path / "account.json").read_bytes()
    (tmp_path / "account.json").write_text("{")
    await enrollment.enroll(DOMAIN, KeyInMemory())
    assert (tmp_path / "account.json").read_bytes() == account


async def test_a_certificate_that_was_not_confirmed_is_not_ordered_again(
    make_settings: MakeSettings, pebble: Pebble, tmp_path: Path
) -> None:
    signer = KeyInMemory()
    first = await Enrollment(make_settings(), tmp_path).enroll(DOMAIN, signer)
    issued = orders_of(pebble)
    again = Enrollment(make_settings(), tmp_path)
    assert await again.enroll(DOMAIN, signer) == first
    assert orders_of(pebble) == issued
    again.confirm()
    assert (await again.enroll(DOMAIN, signer)).chain[0] != first.chain[0]


@pytest.mark.parametrize("step", [Step.ORDER, Step.CHALLENGE, Step.VALIDATION, Step.ISSUANCE, Step.DONE])
async def test_an_enrollment_that_was_cut_off_goes_on_with_the_same_order(
    make_settings: MakeSettings, pebble: Pebble, token_directory: Path, tmp_path: Path, step: Step
) -> None:
    signer = KeyInMemory()

    def cut(seen: Progress) -> None:
        if seen.step is step:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        await Enrollment(make_settings(), tmp_path).enroll(DOMAIN, signer, progress=cut)
    assert files_in(token_directory) == {}
    order_file = tmp_path / "order.json"
    kept = order_file.read_bytes() if order_file.exists() else None
    assert (kept is None) == (step is Step.ORDER)
    issued = orders_of(pebble) - (step is Step.DONE)
    check(await Enrollment(make_settings(), tmp_path).enroll(DOMAIN, signer), signer)
    assert orders_of(pebble) == issued + 1
    if kept is not None:
        assert order_file.read_bytes() == kept


async def test_a_kept_order_for_another_key_or_domain_is_left_aside(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    enrollment = Enrollment(make_settings(), tmp_path)
    await enrollment.enroll(DOMAIN, KeyInMemory())
    signer = KeyInMemory()
    check(await enrollment.enroll(DOMAIN, signer), signer)
    check(await enrollment.enroll("other.example.com", signer), signer, "other.example.com")


async def test_a_kept_order_that_the_ca_does_not_know_is_replaced(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    signer = KeyInMemory()
    enrollment = Enrollment(make_settings(), tmp_path)
    await enrollment.enroll(DOMAIN, signer)
    order = json.loads((tmp_path / "order.json").read_text())
    order["url"] += "gone"
    (tmp_path / "order.json").write_text(json.dumps(order))
    check(await enrollment.enroll(DOMAIN, signer), signer)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"csr": 1}', "[" * 100000])
async def test_a_damaged_order_file_costs_the_order_only(
    make_settings: MakeSettings, tmp_path: Path, content: str
) -> None:
    (tmp_path / "order.json").write_text(content)
    signer = KeyInMemory()
    check(await Enrollment(make_settings(), tmp_path).enroll(DOMAIN, signer), signer)


async def test_a_damaged_account_key_is_a_clear_error_and_left_as_it_is(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    (tmp_path / "account.key").write_text("x")
    with pytest.raises(StateError) as caught:
        await Enrollment(make_settings(), tmp_path).enroll(DOMAIN, KeyInMemory())
    assert "new account" in caught.value.hint
    assert (tmp_path / "account.key").read_text() == "x"


async def test_a_ca_that_forgot_the_account_gets_it_anew(tmp_path: Path, token_directory: Path) -> None:
    async with Pebble(tmp_path / "pebble", nonce_reject=0) as forgetful:
        settings = settings_for(forgetful, token_directory, challenge=ChallengeKind.DNS_01)
        signer = KeyInMemory()
        enrollment = Enrollment(settings, tmp_path / "state")
        await enrollment.enroll(DOMAIN, signer)
        await forgetful.restart()
        check(await enrollment.enroll(DOMAIN, signer), signer)
        enrollment.confirm()
        await forgetful.restart()
        check(await enrollment.enroll(DOMAIN, signer), signer)


async def test_external_account_binding_opens_a_ca_that_wants_it(
    tmp_path: Path, token_directory: Path
) -> None:
    mac_key = base64.urlsafe_b64encode(bytes(range(30))).decode()
    async with Pebble(tmp_path / "pebble", eab_keys={"kid-1": mac_key}) as strict:
        dns = {"challenge": ChallengeKind.DNS_01}
        with pytest.raises(RefusedError) as caught:
            await Enrollment(settings_for(strict, token_directory, **dns), tmp_path / "a").enroll(
                DOMAIN, KeyInMemory()
            )
        assert caught.value.problem_type == "externalAccountRequired"
        assert "key id" in caught.value.hint
        bound = settings_for(strict, token_directory, eab_key_id="kid-1", eab_mac_key=mac_key, **dns)
        assert mac_key not in repr(bound)
        signer = KeyInMemory()
        check(await Enrollment(bound, tmp_path / "a").enroll(DOMAIN, signer), signer)


async def test_a_refused_domain_gives_the_cas_own_words(make_settings: MakeSettings, tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as caught:
        await Enrollment(make_settings(), tmp_path).enroll("refused.example.com", KeyInMemory())
    assert caught.value.problem_type == "rejectedIdentifier"
    assert "refused.example.com" in caught.value.detail
    assert caught.value.hint
    assert not (tmp_path / "order.json").exists()


async def test_a_wrong_answer_to_the_challenge_gives_the_cas_own_words(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    elsewhere = make_settings(token_directory=tmp_path / "not-served")
    with pytest.raises(ValidationFailedError) as caught:
        await Enrollment(elsewhere, tmp_path / "state").enroll(DOMAIN, KeyInMemory())
    assert caught.value.problem_type == "unauthorized"
    assert caught.value.detail
    assert files_in(tmp_path / "not-served") == {}
    assert not (tmp_path / "state" / "order.json").exists()


async def test_a_room_that_does_not_answer_on_its_port_gives_the_cas_own_words(
    make_settings: MakeSettings, pebble: Pebble, tmp_path: Path
) -> None:
    await pebble.add_a("dark.example.com", "127.0.0.9")
    with pytest.raises(ValidationFailedError) as caught:
        await Enrollment(make_settings(), tmp_path).enroll("dark.example.com", KeyInMemory())
    assert caught.value.problem_type == "connection"
    assert "port 80" in caught.value.hint


async def test_the_accounts_key_in_a_request_is_refused_as_a_bad_csr(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    enrollment = Enrollment(make_settings(), tmp_path)
    await enrollment.enroll(DOMAIN, KeyInMemory())
    signer = KeyInMemory()
    key = load_pem_private_key((tmp_path / "account.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signer._key = key
    with pytest.raises(RefusedError) as caught:
        await enrollment.enroll(DOMAIN, signer)
    assert caught.value.problem_type == "badCSR"


async def test_a_server_that_is_down_is_unreachable_and_nothing_is_lost(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    await Enrollment(make_settings(), tmp_path).enroll(DOMAIN, KeyInMemory())
    before = files_in(tmp_path)
    down = make_settings(directory_url=f"https://127.0.0.1:{free_ports(1)[0]}/dir")
    with pytest.raises(UnreachableError, match="cannot be reached"):
        await Enrollment(down, tmp_path).enroll(DOMAIN, KeyInMemory())
    assert files_in(tmp_path) == before


async def test_an_api_certificate_of_another_authority_is_not_trusted(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    (tmp_path / "other.pem").write_text(TestAuthority("Other").root_pem)
    with pytest.raises(UnreachableError, match="TLS certificate") as caught:
        await Enrollment(make_settings(ca_file=tmp_path / "other.pem"), tmp_path / "state").enroll(
            DOMAIN, KeyInMemory()
        )
    assert "acme.ca_pem" in caught.value.hint


async def test_a_missing_ca_file_is_an_error_of_the_settings(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="CA file"):
        await Enrollment(make_settings(ca_file=tmp_path / "absent.pem"), tmp_path).enroll(
            DOMAIN, KeyInMemory()
        )


async def test_an_address_that_is_no_directory_is_told_as_such(
    make_settings: MakeSettings, pebble: Pebble, tmp_path: Path
) -> None:
    roots = make_settings(directory_url=pebble.management_url + "/roots/0")
    with pytest.raises(BadResponseError, match="not ACME") as caught:
        await Enrollment(roots, tmp_path).enroll(DOMAIN, KeyInMemory())
    assert "directory" in caught.value.hint


async def test_cancelling_ends_it_before_the_next_request_and_keeps_the_order(
    make_settings: MakeSettings, token_directory: Path, tmp_path: Path
) -> None:
    cancel, signer = asyncio.Event(), KeyInMemory()
    enrollment = Enrollment(make_settings(), tmp_path)

    def stop(seen: Progress) -> None:
        if seen.step is Step.VALIDATION:
            cancel.set()

    with pytest.raises(EnrollmentCancelledError):
        await enrollment.enroll(DOMAIN, signer, progress=stop, cancel=cancel)
    assert files_in(token_directory) == {}
    assert (tmp_path / "order.json").exists()
    check(await enrollment.enroll(DOMAIN, signer), signer)


async def test_a_task_that_is_cancelled_leaves_no_answer_behind(
    make_settings: MakeSettings, token_directory: Path, tmp_path: Path
) -> None:
    validating = asyncio.Event()

    def watch(seen: Progress) -> None:
        if seen.step is Step.VALIDATION:
            validating.set()

    enrollment = Enrollment(make_settings(), tmp_path)
    task = asyncio.create_task(enrollment.enroll(DOMAIN, KeyInMemory(), progress=watch))
    await validating.wait()
    assert len(files_in(token_directory)) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files_in(token_directory) == {}


async def test_a_deadline_ends_it_with_a_typed_error(make_settings: MakeSettings, tmp_path: Path) -> None:
    with pytest.raises(EnrollmentTimeoutError, match="within 0 s"):
        await Enrollment(make_settings(deadline_s=0.0), tmp_path).enroll(DOMAIN, KeyInMemory())


async def test_a_second_enrollment_at_the_same_time_is_busy(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    enrollment = Enrollment(make_settings(), tmp_path)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(enrollment.enroll(DOMAIN, KeyInMemory()))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await enrollment.enroll(DOMAIN, KeyInMemory())
    assert first.result().domain == DOMAIN


async def test_a_bad_domain_asks_no_ca(make_settings: MakeSettings, tmp_path: Path) -> None:
    with pytest.raises(BadDomainError):
        await Enrollment(make_settings(), tmp_path / "state").enroll("*.example.com", KeyInMemory())
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("script", "word"),
    [("echo first >&2; echo zone is frozen >&2; exit 3", "3: zone is frozen"), (None, "cannot be run")],
)
async def test_a_dns_hook_that_fails_is_told_with_its_last_line(
    make_settings: MakeSettings, tmp_path: Path, script: str | None, word: str
) -> None:
    hook = tmp_path / "hook"
    if script:
        hook.write_text(f"#!/bin/sh\n{script}\n")
        hook.chmod(0o755)
    settings = make_settings(challenge=ChallengeKind.DNS_01, dns_hook=hook)
    with pytest.raises(ChallengeSetupError, match=word):
        await Enrollment(settings, tmp_path / "state").enroll(DOMAIN, KeyInMemory())


async def test_the_chain_can_be_written_as_pem(make_settings: MakeSettings, tmp_path: Path) -> None:
    certificate = await Enrollment(make_settings(), tmp_path).enroll(DOMAIN, KeyInMemory())
    assert pem_of(certificate.chain).count("BEGIN CERTIFICATE") == len(certificate.chain) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"directory_url": "http://ca.example/dir"},
        {"directory_url": "ca.example"},
        {"agree_terms": False},
        {"token_directory": None},
        {"eab_key_id": "kid"},
        {"email": "nobody"},
        {"dns_wait_s": 40.0},
        {"tls_alpn_directory": None, "challenge": ChallengeKind.TLS_ALPN_01},
        {"eab_mac_key": "AAAA"},
    ],
    ids=str,
)
async def test_settings_that_cannot_work_are_refused_when_they_are_made(
    make_settings: MakeSettings, changes: dict[str, object]
) -> None:
    with pytest.raises(SettingsError):
        make_settings(**changes)


async def test_dns_01_without_anybody_who_writes_the_zone_is_refused(tmp_path: Path) -> None:
    settings = AcmeSettings("https://ca.example/dir", agree_terms=True, challenge=ChallengeKind.DNS_01)
    with pytest.raises(SettingsError, match="zone"):
        Enrollment(settings, tmp_path)
