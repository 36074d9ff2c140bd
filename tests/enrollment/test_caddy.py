"""Orders at a second kind of CA, whose leaves have no subject; it looks on the real ports 80 and 443."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509

from conclave_provisioning.enrollment import (
    AcmeAccount,
    AcmeSettings,
    ChallengeKind,
    ChallengeUnreachableError,
    Enrollment,
    RefusedError,
    ValidationFailedError,
    http01,
    tls_alpn01,
)
from tests.caddy import Caddy
from tests.enrollment.conftest import serving
from tests.enrollment.signers import KeyInMemory

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.e2e]
DOMAIN, ADDRESS = "room.example.com", "127.0.53.80"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def caddy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caddy]:
    if os.geteuid() != 0:
        pytest.skip("not proven with caddy: ports 80 and 443, and a hosts file of its own, need root")
    names = {DOMAIN: ADDRESS, "dark.example.com": "127.0.53.81"}
    async with Caddy(tmp_path_factory.mktemp("caddy"), names) as running:
        yield running


def settings(caddy: Caddy, folder: Path, challenge: ChallengeKind) -> AcmeSettings:
    return AcmeSettings(
        caddy.directory_url,
        agree_terms=True,
        challenge=challenge,
        ca_file=caddy.ca_file,
        token_directory=folder / "tokens",
        tls_alpn_directory=folder / "certificates",
        deadline_s=30.0,
    )


async def test_http_01_on_port_80_and_a_leaf_without_a_subject(caddy: Caddy, tmp_path: Path) -> None:
    configured = settings(caddy, tmp_path, ChallengeKind.HTTP_01)
    with serving(http01.ChallengeServer((ADDRESS, 80), tmp_path / "tokens")):
        certificate = await Enrollment(configured, tmp_path / "state").enroll(DOMAIN, KeyInMemory())
    leaf = x509.load_der_x509_certificate(certificate.chain[0])
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert (list(leaf.subject), names.critical) == ([], True)
    account = AcmeAccount(configured, tmp_path / "state")
    assert await account.revoke(certificate.chain[0]) is True
    assert await account.revoke(certificate.chain[0]) is False


async def test_tls_alpn_01_on_port_443(caddy: Caddy, tmp_path: Path) -> None:
    configured = settings(caddy, tmp_path, ChallengeKind.TLS_ALPN_01)
    with serving(tls_alpn01.ChallengeServer((ADDRESS, 443), tmp_path / "certificates")):
        certificate = await Enrollment(configured, tmp_path / "state").enroll(DOMAIN, KeyInMemory())
    assert certificate.domain == DOMAIN


@pytest.mark.parametrize("challenge", [ChallengeKind.HTTP_01, ChallengeKind.TLS_ALPN_01])
async def test_a_ca_that_keeps_looking_says_by_the_deadline_what_it_does_not_find(
    caddy: Caddy, tmp_path: Path, challenge: ChallengeKind
) -> None:
    configured = replace(settings(caddy, tmp_path, challenge), deadline_s=3.0)
    with pytest.raises(ValidationFailedError) as caught:
        await Enrollment(configured, tmp_path / "state").enroll("dark.example.com", KeyInMemory())
    assert isinstance(caught.value, ChallengeUnreachableError), caught.value
    assert caught.value.hint


async def test_a_ca_that_cannot_change_an_accounts_key_says_so_and_the_old_one_stands(
    caddy: Caddy, tmp_path: Path
) -> None:
    configured = settings(caddy, tmp_path, ChallengeKind.HTTP_01)
    account = AcmeAccount(configured, tmp_path / "state")
    before = await account.show()
    with pytest.raises(RefusedError, match="notImplemented") as caught:
        await account.roll_key()
    assert caught.value.hint == "the CA does not offer this: do without it"
    assert await account.show() == before
