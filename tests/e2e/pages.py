"""A room's panel in a real browser, pressed where a finger would press it."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.demo.stage import RoomProcess
from tests.hal.chromium import Tab, browser, tab

SETTLE_S = 0.7
"""The page takes a press on what has just moved under the finger, or a double tap, for no wish."""


class Page:
    """The page of a panel in a browser."""

    def __init__(self, page: Tab, pictures: Path) -> None:
        self._page = page
        self._pictures = pictures

    async def shows(self, selector: str, text: str) -> None:
        """Wait until something that this selector finds has this text in it."""
        found = f"[...document.querySelectorAll({selector!r})].some(e => e.innerText.includes({text!r}))"
        await self._page.until(found)

    async def press(self, selector: str) -> None:
        """Wait until it is there, let it settle, and press it."""
        await self._page.until(f"document.querySelector({selector!r}) !== null")
        await asyncio.sleep(SETTLE_S)
        await self._page.tap(selector)

    async def keep(self, name: str) -> None:
        """A picture of it, for people to look at."""
        picture = await self._page.picture()
        await asyncio.to_thread((self._pictures / name).write_bytes, picture)


@asynccontextmanager
async def page_of(room: RoomProcess) -> AsyncIterator[Page]:
    """The room's panel in a browser of its own."""
    pictures = Path(os.environ.get("CONCLAVE_PICTURES") or room.folder)
    with tempfile.TemporaryDirectory(prefix="profile-") as profile, browser(Path(profile)) as address:
        async with tab(address) as page:
            await page.open(room.panel_url)
            await page.until("document.body.dataset.connection === 'open'")
            yield Page(page, pictures)
