"""One Pebble for the ordinary orders, and a server for their http-01 answers."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from conclave_provisioning.enrollment import AcmeSettings, ChallengeKind, http01, session, tls_alpn01
from tests.enrollment.faults import FaultyCa, faulty
from tests.pebble import Pebble


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """These CAs are quick: they are asked sooner than a real one is."""
    monkeypatch.setattr(session, "FIRST_POLL_S", 0.01)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pebble(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pebble]:
    """A CA that rejects half of its own nonces and refuses `refused.example.com`."""
    directory = tmp_path_factory.mktemp("pebble") / "pebble"
    async with Pebble(directory, nonce_reject=50, blocklist=["refused.example.com"]) as running:
        yield running


@pytest.fixture(scope="session")
def token_directory(pebble: Pebble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose answers are served where Pebble looks for them."""
    directory = tmp_path_factory.mktemp("tokens")
    with serving(http01.ChallengeServer(("127.0.0.1", pebble.http_port), directory)):
        yield directory


@pytest.fixture(scope="session")
def tls_alpn_directory(pebble: Pebble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose certificates are shown where Pebble looks for them."""
    directory = tmp_path_factory.mktemp("certificates")
    with serving(tls_alpn01.ChallengeServer(("127.0.0.1", pebble.tls_port), directory)):
        yield directory


@contextmanager
def serving(server: http01.ChallengeServer | tls_alpn01.ChallengeServer) -> Iterator[None]:
    """Runs a helper in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def calm_pebble(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pebble]:
    """A CA that takes every nonce and offers a second chain, for tests that count requests."""
    directory = tmp_path_factory.mktemp("calm") / "pebble"
    async with Pebble(directory, nonce_reject=0, alternate_roots=1) as running:
        yield running


@pytest.fixture(scope="session")
def calm_tokens(calm_pebble: Pebble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose answers are served where that CA looks for them."""
    directory = tmp_path_factory.mktemp("calm-tokens")
    with serving(http01.ChallengeServer(("127.0.0.1", calm_pebble.http_port), directory)):
        yield directory


@pytest.fixture
def ca(calm_pebble: Pebble, tmp_path: Path) -> Iterator[FaultyCa]:
    """The proxy in front of the calm CA."""
    with faulty(calm_pebble, tmp_path / "proxy") as running:
        yield running


@pytest.fixture
def reach(ca: FaultyCa, calm_pebble: Pebble, calm_tokens: Path) -> "MakeSettings":
    """Settings that lead through the proxy; keywords change them."""

    def make(**changes: object) -> AcmeSettings:
        places = {"directory_url": ca.directory_url, "ca_file": ca.ca_file}
        return settings_for(calm_pebble, calm_tokens, **(places | changes))

    return make


MakeSettings = Callable[..., AcmeSettings]


@pytest.fixture
def make_settings(pebble: Pebble, token_directory: Path, tls_alpn_directory: Path) -> MakeSettings:
    """Settings for that CA; keywords change them."""

    def make(**changes: object) -> AcmeSettings:
        places = {"tls_alpn_directory": tls_alpn_directory}
        return settings_for(pebble, token_directory, **(places | changes))

    return make


def settings_for(pebble: Pebble, tokens: Path, **changes: object) -> AcmeSettings:
    """Settings for a CA; keywords change them."""
    values: dict[str, object] = {
        "directory_url": pebble.directory_url,
        "agree_terms": True,
        "challenge": ChallengeKind.HTTP_01,
        "ca_file": pebble.ca_file,
        "token_directory": tokens,
        "dns_hook": pebble.dns_hook,
        "email": "it@example.com",
        "deadline_s": 30.0,
    }
    return AcmeSettings(**(values | changes))  # type: ignore[arg-type]
