"""Fetches lists of revoked certificates from where the CAs publish them, so that nobody has to carry them.

Plain http is as good as https here: the list is signed, and one that is older than the one at hand is not
taken. Whoever stands in between can only keep a list back, and then it goes out of date, which is told.
"""

import asyncio
import http.client
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from conclaved.bus.change_report import ChangeReport
from conclaved.bus.room import RoomError
from conclaved.identity.crl import MAX_CRL_BYTES
from conclaved.service.deadline import hanging_up

log = logging.getLogger(__name__)

FETCH_EVERY_S = 6 * 3600.0
TRY_AGAIN_AFTER_S = 900.0
ANSWER_WITHIN_S = 30.0
WHOLE_WITHIN_S = 300.0
"""For all of a list, which may be long."""


class CrlFetching:
    """Owns the fetching; one event loop runs it."""

    def __init__(
        self,
        urls: Callable[[], tuple[str, ...]],
        take: Callable[[bytes], Awaitable[ChangeReport]],
        changed: Callable[[], None],
    ) -> None:
        """`urls` are asked for each time; `take` adds a list, or raises RoomError.

        `changed` is called when `problems` are others.
        """
        self._urls = urls
        self._take = take
        self._changed = changed
        self._wake = asyncio.Event()
        self._problems: dict[str, str] = {}

    def problems(self) -> tuple[str, ...]:
        """One line for each address that gave no list the last time."""
        return tuple(self._problems.values())

    def wake(self) -> None:
        """Fetch now: the addresses or the anchors are others."""
        self._wake.set()

    async def run(self) -> None:
        """Fetch until cancelled."""
        while True:
            self._wake.clear()
            await self._fetch_all()
            pause_s = TRY_AGAIN_AFTER_S if self._problems else FETCH_EVERY_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _fetch_all(self) -> None:
        problems: dict[str, str] = {}
        for url in self._urls():
            try:
                report = await self._take(await asyncio.to_thread(fetch, url))
            except (OSError, ValueError, http.client.HTTPException, RoomError) as error:
                words = (error.strerror or "" if isinstance(error, OSError) else "") or str(error)
                log.warning("the list of revoked certificates at %s is not taken: %s", url, words)
                problems[url] = f"the list of revoked certificates at {url} is not taken: {words}"
            else:
                if report.changed:
                    log.info("took the list of revoked certificates at %s", url)
        if problems != self._problems:
            self._problems = problems
            self._changed()


def fetch(url: str) -> bytes:
    """What lies at an http or https address; blocks. Raises OSError, HTTPException or ValueError."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN_S)
    with hanging_up(connection, WHOLE_WITHIN_S):
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("GET", path, headers={"User-Agent": "conclaved"})
        answer = connection.getresponse()
        content = answer.read(MAX_CRL_BYTES + 1)
    if answer.status != http.client.OK:
        raise ValueError(f"the server answers with status {answer.status}")
    if len(content) > MAX_CRL_BYTES:
        raise ValueError(f"it is longer than {MAX_CRL_BYTES // (1024 * 1024)} MiB")
    return content
