"""One certificate for all hubs of these tests, and a hub for those that need nothing special."""

from collections.abc import AsyncIterator

import pytest

from conclaved.conference.hub import Hub
from tests.conference.hubs import Tls, listening, make_tls


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("hub"))


@pytest.fixture
def hub() -> Hub:
    """A hub on whose clock no time passes, and that forgets a log at once when nobody needs it."""
    return Hub(forget_s=0, clock=lambda: 0.0)


@pytest.fixture
async def service(hub: Hub, tls: Tls) -> AsyncIterator[str]:
    async with listening(hub, tls) as address:
        yield address
