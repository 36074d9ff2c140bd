"""What can go wrong between a device and its CA: each fault has a class, a word, and a line of advice."""

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from conclave_provisioning.enrollment import (
    AcmeSettings,
    BadNonceError,
    BadResponseError,
    BrokenChainError,
    CaaError,
    CaTroubleError,
    Certificate,
    ChallengeKind,
    ChallengeUnreachableError,
    ClockError,
    ConnectionDroppedError,
    Enrollment,
    EnrollmentError,
    EnrollmentTimeoutError,
    NotValidNowError,
    RateLimitedError,
    RefusedError,
    UnreachableError,
    WrongKeyError,
    WrongNameError,
)
from tests.enrollment.conftest import MakeSettings
from tests.enrollment.faults import Fault, FaultyCa, faulty
from tests.enrollment.signers import KeyInMemory
from tests.pebble import Pebble
from tests.pki import TestAuthority, pem_of

pytestmark = pytest.mark.asyncio(loop_scope="session")
DOMAIN = "room.example.com"


async def enroll(settings: AcmeSettings, folder: Path, signer: KeyInMemory | None = None) -> Certificate:
    return await Enrollment(settings, folder / "state").enroll(DOMAIN, signer or KeyInMemory())


async def error_of(
    settings: AcmeSettings, folder: Path, signer: KeyInMemory | None = None
) -> EnrollmentError:
    with pytest.raises(EnrollmentError) as caught:
        await enroll(settings, folder, signer)
    return caught.value


async def test_without_a_fault_the_proxy_is_a_ca(ca: FaultyCa, reach: MakeSettings, tmp_path: Path) -> None:
    assert (await enroll(reach(), tmp_path)).domain == DOMAIN
    assert len(ca.orders()) == 1


@pytest.mark.parametrize("where", ["/dir", "/nonce-plz", "/sign-me-up", "/order-plz", "/finalize-order"])
@pytest.mark.parametrize("when", ["before", "after", "middle"])
async def test_a_connection_that_ends_in_the_middle_is_told_and_the_next_attempt_goes_on(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path, where: str, when: str
) -> None:
    ca.fail(where, Fault(drops=when))
    signer = KeyInMemory()
    if (where, when) == ("/nonce-plz", "middle"):
        return  # a nonce is a header: without a body there is no middle
    error = await error_of(reach(), tmp_path, signer)
    assert isinstance(error, ConnectionDroppedError)
    assert (error.kind, bool(error.hint)) == ("dropped", True)
    assert (await enroll(reach(), tmp_path, signer)).domain == DOMAIN
    # Only where the CA's answer to the order itself was lost is there a second one.
    assert len(ca.orders()) == (2 if where == "/order-plz" else 1)


async def test_a_few_answers_that_are_lost_while_asking_how_far_it_is_cost_nothing(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.fail("/my-order", Fault(drops="before"))
    ca.fail("/my-order", Fault(status=503, problem="serverInternal"), times=2)
    assert (await enroll(reach(), tmp_path)).domain == DOMAIN


@pytest.mark.parametrize(("status", "kind"), [(503, "ca_trouble"), (429, "rate_limited")])
async def test_no_nonce_is_told_by_what_stands_in_the_way_and_keeps_the_order(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path, status: int, kind: str
) -> None:
    signer = KeyInMemory()
    ca.fail("/finalize-order", Fault(drops="before"))
    await error_of(reach(), tmp_path, signer)
    ca.fail("/nonce-plz", Fault(status=status, headers={"Retry-After": "9"}))
    error = await error_of(reach(), tmp_path, signer)
    assert isinstance(error, RefusedError)
    assert (error.kind, error.retry_after_s) == (kind, 9.0)
    await enroll(reach(), tmp_path, signer)
    assert len(ca.orders()) == 1


@pytest.mark.parametrize("problem", ["serverInternal", ""])
async def test_a_ca_in_trouble_is_told_as_such_and_keeps_the_order(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path, problem: str
) -> None:
    ca.fail("/finalize-order", Fault(status=500, problem=problem, headers={"Retry-After": "17"}))
    signer = KeyInMemory()
    error = await error_of(reach(), tmp_path, signer)
    assert isinstance(error, CaTroubleError)
    assert (error.kind, error.retry_after_s) == ("ca_trouble", 17.0)
    await enroll(reach(), tmp_path, signer)
    assert len(ca.orders()) == 1


async def test_a_rate_limit_keeps_the_order_and_says_how_long_to_wait(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.fail("/finalize-order", Fault(status=429, problem="rateLimited", headers={"Retry-After": "120"}))
    signer = KeyInMemory()
    error = await error_of(reach(), tmp_path, signer)
    assert isinstance(error, RateLimitedError)
    assert (error.kind, error.retry_after_s) == ("rate_limited", 120.0)
    await enroll(reach(), tmp_path, signer)
    assert len(ca.orders()) == 1


async def test_a_rate_limit_without_a_document_is_one_all_the_same(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.fail("/order-plz", Fault(status=429))
    assert isinstance(await error_of(reach(), tmp_path), RateLimitedError)


async def test_a_storm_of_rejected_nonces_ends(ca: FaultyCa, reach: MakeSettings, tmp_path: Path) -> None:
    ca.fail("/order-plz", Fault(status=400, problem="badNonce"), times=1000)
    error = await error_of(reach(), tmp_path)
    assert isinstance(error, BadNonceError)
    assert error.kind == "bad_nonce"
    assert ca.count("/order-plz") == 24


async def test_a_few_rejected_nonces_cost_nothing(ca: FaultyCa, reach: MakeSettings, tmp_path: Path) -> None:
    ca.fail("/order-plz", Fault(status=400, problem="badNonce"), times=10)
    assert (await enroll(reach(), tmp_path)).domain == DOMAIN


@pytest.mark.parametrize("hours", [-3, 3])
async def test_clocks_that_disagree_are_told_before_anything_is_ordered(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path, hours: int
) -> None:
    ca.fail("/dir", Fault(clock_off=timedelta(hours=hours)))
    error = await error_of(reach(), tmp_path)
    assert isinstance(error, ClockError)
    assert (error.kind, "NTP" in error.hint) == ("wrong_clock", True)
    assert ca.count("/order-plz") == 0


async def test_clocks_that_differ_a_little_do_not_matter(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.fail("/dir", Fault(clock_off=timedelta(minutes=5)))
    assert (await enroll(reach(), tmp_path)).domain == DOMAIN


@pytest.mark.parametrize(("begin", "end", "word"), [(-20, -10, "expired"), (10, 20, "not valid yet")])
async def test_a_certificate_of_the_api_outside_its_life_points_at_the_clock(
    calm_pebble: Pebble, make_settings: MakeSettings, tmp_path: Path, begin: int, end: int, word: str
) -> None:
    class Untimely(TestAuthority):
        def issue(self, *arguments: object, **options: object) -> tuple[bytes, ...]:
            now = datetime.now(UTC)
            life = {"not_before": now + timedelta(days=begin), "not_after": now + timedelta(days=end)}
            return super().issue(*arguments, **(options | life))  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.enrollment.faults.TestAuthority", Untimely)
        with faulty(calm_pebble, tmp_path / "proxy") as ca:
            settings = make_settings(directory_url=ca.directory_url, ca_file=ca.ca_file)
            error = await error_of(settings, tmp_path)
    assert isinstance(error, ClockError)
    assert word in str(error)
    assert "clock" in error.hint


async def test_a_ca_that_never_comes_to_an_end_meets_the_deadline_and_the_order_is_kept(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.fail("/authZ", Fault(body=lambda body: body.replace(b'"valid"', b'"pending"')), times=1000)
    error = await error_of(reach(deadline_s=1.5), tmp_path)
    assert isinstance(error, EnrollmentTimeoutError)
    assert error.kind == "timed_out"
    assert (tmp_path / "state" / "order.json").exists()


async def test_a_ca_that_keeps_looking_says_by_the_deadline_what_it_does_not_find(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    def still_looking(body: bytes) -> bytes:
        authorization = json.loads(body)
        authorization["status"] = "pending"
        for challenge in authorization["challenges"]:
            error = {"type": "urn:ietf:params:acme:error:connection", "detail": "no route"}
            challenge |= {"status": "pending", "error": error}
        return json.dumps(authorization).encode()

    ca.fail("/authZ", Fault(body=still_looking), times=1000)
    error = await error_of(reach(deadline_s=1.0), tmp_path)
    assert isinstance(error, ChallengeUnreachableError)
    assert (error.kind, error.detail) == ("challenge_unreachable", "no route")
    assert "port 80" in error.hint


async def test_a_ca_that_does_not_answer_is_given_up(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    release = threading.Event()
    ca.fail("/dir", Fault(waits_for=release))
    error = await error_of(reach(request_timeout_s=0.3), tmp_path)
    release.set()
    assert isinstance(error, UnreachableError)
    assert "did not answer in time" in str(error)


async def test_a_name_without_an_address_is_told(make_settings: MakeSettings, tmp_path: Path) -> None:
    error = await error_of(make_settings(directory_url="https://ca.invalid/dir"), tmp_path)
    assert isinstance(error, UnreachableError)
    assert "its name has no address" in str(error)


async def test_a_caa_record_against_the_ca_is_told(ca: FaultyCa, reach: MakeSettings, tmp_path: Path) -> None:
    ca.fail("/finalize-order", Fault(status=403, problem="caa"))
    error = await error_of(reach(), tmp_path)
    assert isinstance(error, CaaError)
    assert (error.kind, "CAA" in error.hint) == ("caa", True)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"null", b'{"status": 1}', b"[" * 99999], ids=range(6)
)
@pytest.mark.parametrize(
    "where",
    ["/sign-me-up", "/order-plz", "/authZ", "/chalZ", "/my-order", "/finalize-order", "/certZ"],
)
async def test_an_answer_of_another_shape_is_a_typed_error_or_does_not_matter(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path, where: str, content: bytes
) -> None:
    ca.fail(where, Fault(body=lambda _: content), times=9)
    try:
        await enroll(reach(), tmp_path)
    except EnrollmentError as error:
        assert isinstance(error, BadResponseError), error
        assert where not in ("/sign-me-up", "/chalZ"), "only the address of an account is used"
    else:
        assert where in ("/sign-me-up", "/chalZ")


async def test_an_authorization_for_another_domain_is_not_answered(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.fail("/authZ", Fault(body=lambda body: body.replace(DOMAIN.encode(), b"other.example.com")))
    error = await error_of(reach(), tmp_path)
    assert str(error) == "the CA's authorization is for another domain"
    assert ca.count("/chalZ") == 0


async def test_a_refusal_costs_the_order(ca: FaultyCa, reach: MakeSettings, tmp_path: Path) -> None:
    ca.fail("/finalize-order", Fault(status=403, problem="unauthorized"))
    assert isinstance(await error_of(reach(), tmp_path), RefusedError)
    assert not (tmp_path / "state" / "order.json").exists()


def other_chain(signer: KeyInMemory, **changes: object) -> Callable[[bytes], bytes]:
    """What a CA would hand over that issues something else than was asked for."""
    authority = TestAuthority("Middle", parent=TestAuthority("Root"))
    key = changes.pop("key", signer.certificate_public_key)
    values: dict[str, object] = {"dns": [DOMAIN]}
    chain = authority.issue(key, **(values | changes))  # type: ignore[arg-type]
    return lambda _: pem_of(chain).encode()


def of_two_cas(signer: KeyInMemory) -> Callable[[bytes], bytes]:
    """A leaf with another CA's certificate above it, of the same name."""
    ours = TestAuthority("Middle", parent=TestAuthority("Root"))
    other = TestAuthority("Middle", parent=TestAuthority("Root"))
    chain = (ours.issue(signer.certificate_public_key, dns=[DOMAIN])[0], other.der)
    return lambda _: pem_of(chain).encode()


def under_a_leaf(signer: KeyInMemory) -> Callable[[bytes], bytes]:
    """A leaf whose issuer is no authority."""
    root = TestAuthority("Root")
    key = ec.generate_private_key(ec.SECP256R1())
    middle = root.issue(key, dns=["other.example.com"], common_name="Leaf")[0]
    authority = TestAuthority("Leaf", key=key)
    chain = (authority.issue(signer.certificate_public_key, dns=[DOMAIN])[0], middle)
    return lambda _: pem_of(chain).encode()


Hour = timedelta(hours=1)


@pytest.mark.parametrize(
    ("make", "kind", "word"),
    [
        (lambda s: other_chain(s, dns=["other.example.com"]), WrongNameError, "wrong_name"),
        (lambda s: other_chain(s, dns=[DOMAIN, "other.example.com"]), WrongNameError, "wrong_name"),
        (lambda s: other_chain(s, email=["a@example.com"]), WrongNameError, "wrong_name"),
        (lambda s: other_chain(s, key=ec.generate_private_key(ec.SECP256R1())), WrongKeyError, "wrong_key"),
        (of_two_cas, BrokenChainError, "broken_chain"),
        (under_a_leaf, BrokenChainError, "broken_chain"),
        (
            lambda s: other_chain(s, not_after=datetime.now(UTC) - Hour / 2),
            NotValidNowError,
            "not_valid_now",
        ),
        (lambda s: other_chain(s, not_before=datetime.now(UTC) + Hour), NotValidNowError, "not_valid_now"),
        (lambda _: lambda _: b"", BadResponseError, "bad_response"),
        (lambda _: lambda body: body[: len(body) // 3], BadResponseError, "bad_response"),
    ],
    ids=range(10),
)
async def test_a_certificate_that_is_not_what_was_asked_for_is_refused(
    ca: FaultyCa,
    reach: MakeSettings,
    tmp_path: Path,
    make: Callable[[KeyInMemory], Callable[[bytes], bytes]],
    kind: type[EnrollmentError],
    word: str,
) -> None:
    signer = KeyInMemory()
    ca.fail("/certZ", Fault(body=make(signer)))
    error = await error_of(reach(), tmp_path, signer)
    assert (type(error), error.kind) == (kind, word)
    assert error.hint
    assert (await enroll(reach(), tmp_path, signer)).domain == DOMAIN


async def test_a_certificate_that_is_what_was_asked_for_passes_though_it_is_another_cas(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    signer = KeyInMemory()
    ca.fail("/certZ", Fault(body=other_chain(signer)))
    chain = (await enroll(reach(), tmp_path, signer)).chain
    assert x509.load_der_x509_certificate(chain[-1]).issuer.rfc4514_string() == "CN=Root"


async def test_an_authorization_that_the_ca_reuses_needs_no_challenge(
    tmp_path: Path, make_settings: MakeSettings
) -> None:
    async with Pebble(tmp_path / "pebble", nonce_reject=0, authorization_reuse=100) as generous:
        settings = make_settings(
            directory_url=generous.directory_url,
            ca_file=generous.ca_file,
            challenge=ChallengeKind.DNS_01,
            dns_hook=generous.dns_hook,
        )
        hooked = Enrollment(settings, tmp_path / "state")
        await hooked.enroll(DOMAIN, KeyInMemory())
        hooked.confirm()
        seen: list[str] = []
        await hooked.enroll(DOMAIN, KeyInMemory(), progress=lambda step: seen.append(step.step.value))
    assert "challenge" not in seen


async def test_two_conversations_about_one_account_do_not_mix(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    began, release = threading.Event(), threading.Event()
    ca.fail("/dir", Fault(began=began, waits_for=release))
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(enroll(reach(), tmp_path))
        assert await asyncio.to_thread(began.wait, 10)
        error = await error_of(reach(), tmp_path)
        release.set()
    assert error.kind == "busy"
    assert first.result().domain == DOMAIN
