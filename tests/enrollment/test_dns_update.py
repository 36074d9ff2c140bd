"""dns-01 by DNS UPDATE, against a real primary and secondary, and a real CA that asks them."""

import stat
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from conclave_provisioning.enrollment import (
    AcmeSettings,
    ChallengeKind,
    DnsUpdateError,
    DnsUpdateSettings,
    Enrollment,
    EnrollmentError,
    Progress,
    RecordNotSeenError,
    SettingsError,
    Step,
)
from conclave_provisioning.enrollment.challenge import DnsView, UpdateDnsProvider
from conclave_provisioning.enrollment.challenge.dns_view import Endpoint, parse_endpoint
from tests.enrollment.signers import KeyInMemory
from tests.knot import KEY_NAME, PRIMARY, SECONDARY, Knot
from tests.pebble import Pebble, free_ports

pytestmark = pytest.mark.asyncio(loop_scope="session")
ZONES = {
    "example.com": "room A 127.0.0.1\nalias A 127.0.0.1\n_acme-challenge.alias CNAME alias.challenges\n"
    "_acme-challenge.loop CNAME _acme-challenge.loop\n_acme-challenge.far CNAME r1.example.net.\n",
    "example.net": "",
    "half.example.org": "room A 127.0.0.1\n",
    "dual.example.org": "room A 127.0.0.1\nns2 A 127.0.0.3\n",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def knot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Knot]:
    async with Knot(tmp_path_factory.mktemp("knot"), ZONES) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ca(knot: Knot, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pebble]:
    """A CA that asks knot."""
    async with Pebble(tmp_path_factory.mktemp("ca"), dns_server=knot.address) as running:
        yield running


def update_settings(knot: Knot, **changes: object) -> DnsUpdateSettings:
    values: dict[str, object] = {"server": knot.address, "key_name": KEY_NAME, "key_file": knot.key_file}
    return DnsUpdateSettings(**(values | changes))  # type: ignore[arg-type]


def provider_for(knot: Knot) -> UpdateDnsProvider:
    return UpdateDnsProvider(update_settings(knot), DnsView([knot.address], port=knot.port), wait_s=5)


def settings(knot: Knot, ca: Pebble, **changes: object) -> AcmeSettings:
    return AcmeSettings(
        ca.directory_url,
        agree_terms=True,
        challenge=ChallengeKind.DNS_01,
        ca_file=ca.ca_file,
        dns_update=update_settings(knot, **changes),
        resolvers=(knot.address,),
        dns_port=knot.port,
        dns_timeout_s=10.0,
        deadline_s=30.0,
    )


async def error_of(knot: Knot, ca: Pebble, folder: Path, domain: str, **changes: object) -> EnrollmentError:
    with pytest.raises(EnrollmentError) as caught:
        await Enrollment(settings(knot, ca, **changes), folder).enroll(domain, KeyInMemory())
    return caught.value


async def test_the_ca_looks_only_when_every_server_of_the_zone_has_the_record(
    knot: Knot, ca: Pebble, tmp_path: Path
) -> None:
    seen: list[list[str]] = []

    def look(progress: Progress) -> None:
        if progress.step is Step.VALIDATION:
            seen.extend(
                knot.texts(server, "_acme-challenge.room.example.com") for server in (PRIMARY, SECONDARY)
            )

    certificate = await Enrollment(settings(knot, ca), tmp_path).enroll(
        "room.example.com", KeyInMemory(), progress=look
    )
    assert certificate.domain == "room.example.com"
    assert len(seen[0]) == 1
    assert seen[0] == seen[1]
    assert knot.texts(PRIMARY, "_acme-challenge.room.example.com") == []


async def test_the_record_goes_where_an_alias_leads(knot: Knot, ca: Pebble, tmp_path: Path) -> None:
    seen: list[str] = []

    def look(progress: Progress) -> None:
        if progress.step is Step.VALIDATION:
            seen.extend(knot.texts(PRIMARY, "alias.challenges.example.com"))

    await Enrollment(settings(knot, ca), tmp_path).enroll("alias.example.com", KeyInMemory(), progress=look)
    assert len(seen) == 1
    assert knot.texts(PRIMARY, "alias.challenges.example.com") == []


async def test_an_alias_leads_the_record_into_another_zone(knot: Knot) -> None:
    provider = provider_for(knot)
    provider.present("_acme-challenge.far.example.com", "far")
    wait_until_nothing_is_missing(provider, "_acme-challenge.far.example.com", "far")
    assert knot.texts(SECONDARY, "r1.example.net") == ["far"]
    provider.clean_up("_acme-challenge.far.example.com", "far")
    assert knot.texts(PRIMARY, "r1.example.net") == []


async def test_another_record_at_the_name_is_left_alone(knot: Knot) -> None:
    provider = provider_for(knot)
    provider.present("_acme-challenge.two.example.com", "first")
    provider.present("_acme-challenge.two.example.com", "second")
    provider.clean_up("_acme-challenge.two.example.com", "first")
    assert knot.texts(PRIMARY, "_acme-challenge.two.example.com") == ["second"]
    provider.clean_up("_acme-challenge.two.example.com", "second")
    provider.clean_up("_acme-challenge.two.example.com", "second")


async def test_a_server_that_never_has_the_record_is_named(knot: Knot, ca: Pebble, tmp_path: Path) -> None:
    configured = settings(knot, ca)
    impatient = replace(configured, dns_timeout_s=0.3)
    with pytest.raises(RecordNotSeenError, match=r"ns2\.half\.example\.org \(no answer\) without") as caught:
        await Enrollment(impatient, tmp_path).enroll("room.half.example.org", KeyInMemory())
    assert caught.value.kind == "dns_record_missing"
    assert knot.texts(PRIMARY, "_acme-challenge.room.half.example.org") == []
    assert (tmp_path / "order.json").exists()


async def test_an_address_that_is_not_reached_does_not_matter_where_another_is(knot: Knot) -> None:
    view = DnsView([knot.address], port=knot.port, timeout_s=0.2)
    provider = UpdateDnsProvider(update_settings(knot), view, wait_s=5)
    assert "ns2.dual.example.org" in {each.name for each in view.servers_of("dual.example.org")}
    provider.present("_acme-challenge.room.dual.example.org", "seen")
    wait_until_nothing_is_missing(provider, "_acme-challenge.room.dual.example.org", "seen")


async def test_where_no_server_can_be_asked_the_resolver_speaks_for_them(knot: Knot) -> None:
    view = DnsView([knot.address], port=free_ports(1)[0], timeout_s=0.2)
    provider = UpdateDnsProvider(update_settings(knot), view, wait_s=5)
    name = "_acme-challenge.walled.example.com"
    assert provider.missing(name, "seen") == f"no TXT record at {name} yet"
    provider.present(name, "seen")
    assert provider.missing(name, "seen") == ""


def wait_until_nothing_is_missing(provider: UpdateDnsProvider, name: str, value: str) -> None:
    give_up_at = time.monotonic() + 5
    while provider.missing(name, value):
        assert time.monotonic() < give_up_at


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key_name": "stranger"}, "does not accept the key stranger"),
        ({"algorithm": "hmac-sha512"}, "does not accept the key room.acme"),
        ({"zone": "com"}, "does not take updates of the zone com"),
        ({"server": f"127.0.0.4:{free_ports(1)[0]}"}, "does not answer an update"),
    ],
    ids=str,
)
async def test_what_the_dns_server_has_against_it_is_told(
    knot: Knot, ca: Pebble, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    error = await error_of(knot, ca, tmp_path, "room.example.com", **changes)
    assert isinstance(error, DnsUpdateError)
    assert words in str(error)
    assert error.hint


async def test_a_name_outside_the_given_zone_is_told(knot: Knot, ca: Pebble, tmp_path: Path) -> None:
    error = await error_of(knot, ca, tmp_path, "room.example.com", zone="example.net")
    assert str(error) == "_acme-challenge.room.example.com is not in the zone example.net"


async def test_a_wrong_secret_is_told_and_never_shown(knot: Knot, ca: Pebble, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("bm90IHRoZSBzZWNyZXQ=")
    error = await error_of(knot, ca, tmp_path / "state", "room.example.com", key_file=secret)
    assert "does not accept the key" in str(error)
    configured = settings(knot, ca, key_file=secret)
    assert "bm90IHRoZSBzZWNyZXQ" not in f"{error} {error.hint} {configured!r}"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("AAAA", 0o640, "others may read"),
        ("", 0o600, "empty"),
        ("geheim!", 0o600, "is not base64"),
        (None, 0o600, "cannot be read"),
    ],
)
async def test_a_key_file_that_will_not_do_is_told(
    knot: Knot, ca: Pebble, tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_text(content)
        secret.chmod(mode)
        assert stat.S_IMODE(secret.stat().st_mode) == mode
    error = await error_of(knot, ca, tmp_path / "state", "room.example.com", key_file=secret)
    assert isinstance(error, SettingsError)
    assert words in str(error)
    assert "geheim" not in str(error)


async def test_an_alias_that_never_ends_is_told(knot: Knot) -> None:
    with pytest.raises(DnsUpdateError, match="alias"):
        DnsView([knot.address]).canonical_name("_acme-challenge.loop.example.com")


async def test_dns_that_cannot_be_asked_is_told() -> None:
    with pytest.raises(DnsUpdateError, match="cannot be asked"):
        DnsView([f"127.0.0.4:{free_ports(1)[0]}"], timeout_s=0.2).texts("room.example.com")


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("192.0.2.1", Endpoint("192.0.2.1")),
        ("192.0.2.1:5353", Endpoint("192.0.2.1", 5353)),
        ("2001:db8::1", Endpoint("2001:db8::1")),
        ("[2001:db8::1]", Endpoint("2001:db8::1")),
        ("[2001:db8::1]:5353", Endpoint("2001:db8::1", 5353)),
    ],
)
async def test_addresses_of_dns_servers_are_read(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text", ["", "ns.example.com", "192.0.2.1:0", "192.0.2.1:x", "[::1", "1.2.3.4:70000"]
)
async def test_what_is_no_address_of_a_dns_server_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_endpoint(text)


async def test_a_weak_tsig_algorithm_is_refused(knot: Knot) -> None:
    with pytest.raises(SettingsError, match="algorithm"):
        update_settings(knot, algorithm="hmac-md5.sig-alg.reg.int")
