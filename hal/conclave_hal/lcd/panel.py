"""The driver `crystalfontz` of the panel: a serial LCD of 20 x 4 characters with six keys.

What is on the glass. A view is drawn when the LCD has acknowledged every one of its four lines; from the
first line that changes until then, nothing is. The lock's line is written last when the lock closes and
first when it opens, so that the glass never says more than is so. All is written anew every two seconds:
an LCD that lost its power beside the wire comes back by itself, and one that has died is noticed.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from conclave_hal.buttons import Button
from conclave_hal.device import AnyDevice, DeviceState, Health
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import DeviceGoneError, HalError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.lcd.charset import LOCK, SPECIAL_CHARACTERS, encode
from conclave_hal.lcd.link import Key, LcdLink
from conclave_hal.lcd.packets import Command
from conclave_hal.lcd.pages import ROWS, Page, pages
from conclave_hal.options import Option, device_path, one_of
from conclave_hal.panel import Panel, PanelAction, PanelView
from conclave_hal.panel_press import meant
from conclave_hal.serial_port import SerialSettings, open_serial_port

log = logging.getLogger(__name__)

SHOW_DEADLINE_S = 2.0
REWRITE_S = 2.0
HOME_S = 30.0
"""Without a key: then the first page comes back, and with it the code."""
SETTLE_S = 0.5
"""A finger on its way to a key must not answer what has just come by itself."""
MAX_WAITING_PRESSES = 32
_ALL_KEYS = 0x3F

_KEYS = {Button.UP: Key.UP, Button.DOWN: Key.DOWN, Button.SELECT: Key.ENTER, Button.BACK: Key.EXIT}


@dataclass(frozen=True, slots=True)
class LcdOptions:
    """Options of the serial LCD."""

    port: Annotated[str, Option(device_path(), "serial port of the LCD")]
    baud: Annotated[int, Option(one_of(19200, 115200), "speed of the port")] = 115200


@dataclass(frozen=True, slots=True)
class _Seen:
    """What people saw last in full, and what a key that they press means."""

    view: PanelView
    page: Page
    since: float
    """When this page came, by the driver's clock."""


class LcdPanel(HotPlugDevice[DeviceState], Panel):
    """Four lines of text; `navigate` and the LCD's own keys turn its pages."""

    def __init__(
        self,
        options: LcdOptions,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pause` waits so many seconds, `clock` tells them."""
        super().__init__(pause=pause)
        self._options = options
        self._clock = clock
        self._view: PanelView | None = None
        self._page_key = ""
        self._drawn: PanelView | None = None
        self._seen: _Seen | None = None
        self._is_there = False
        self._wake = asyncio.Event()
        self._painted = asyncio.Condition()
        self._home: asyncio.Task[None] | None = None
        self._presses: asyncio.Queue[PanelAction | None] = asyncio.Queue()
        self._is_closed = False

    async def close(self) -> None:
        """End `actions`; the port is `run`'s. Safe to call twice."""
        self._is_closed = True
        self._presses.put_nowait(None)
        if self._home is not None:
            await _end(self._home)

    async def show(self, view: PanelView) -> None:
        """Draw `view` on the page that people are on. Returns when it, or a later one, is on the glass.

        Raises DeviceGoneError while the LCD does not answer; it is drawn when it comes back.
        """
        self._view = view
        self._wake.set()
        try:
            async with asyncio.timeout(SHOW_DEADLINE_S), self._painted:
                await self._painted.wait_for(
                    lambda: not self._is_there or self._view is not view or self._drawn is view
                )
        except TimeoutError:
            raise DeviceGoneError(f"the LCD at {self._options.port} draws nothing") from None
        if not self._is_there:
            raise DeviceGoneError(f"no LCD at {self._options.port}: {self._state.reason or 'not found yet'}")

    def drawn(self) -> PanelView | None:
        """The view of which the LCD has acknowledged every line."""
        return self._drawn

    async def actions(self) -> AsyncIterator[PanelAction]:
        """What people press, until `close`."""
        while not self._is_closed or not self._presses.empty():
            action = await self._presses.get()
            if action is None:
                return
            yield action

    async def navigate(self, button: Button) -> None:
        """The same as the LCD's own keys."""
        if button in _KEYS:
            self._pressed(_KEYS[button])

    # -- one session with the LCD ---------------------------------------------------------------

    async def _session(self) -> None:
        port = open_serial_port(self._options.port, SerialSettings(self._options.baud))
        link = LcdLink(port, self._pressed)
        listening = asyncio.create_task(link.listen())
        serving = asyncio.create_task(self._serve(link))
        try:
            done, _ = await asyncio.wait({listening, serving}, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        except asyncio.CancelledError:
            await _end(serving)
            # What stays on the glass without anybody behind it would lie sooner or later.
            with suppress(HalError):
                await link.command(Command.CLEAR)
            raise
        finally:
            await _end(serving, listening)
            port.close()
            self._is_there = False
            self._drawn = self._seen = None
            async with self._painted:
                self._painted.notify_all()

    async def _serve(self, link: LcdLink) -> None:
        version = await link.command(Command.VERSION)
        log.info("LCD: %s", "".join(chr(byte) for byte in version if 32 <= byte < 127))
        lines: list[str] | None = None
        rewrites = asyncio.create_task(self._wake_often())
        try:
            while True:
                self._wake.clear()
                if lines is None or rewrites.done():
                    await self._set_up(link)
                    lines = [""] * ROWS
                    rewrites.cancel()
                    rewrites = asyncio.create_task(self._wake_often())
                await self._draw(link, lines)
                if not self._is_there:
                    self._is_there = True
                    await self._publish(DeviceState(Health.READY))
                await self._wake.wait()
        finally:
            await _end(rewrites)

    async def _wake_often(self) -> None:
        await self._pause(REWRITE_S)
        self._wake.set()

    async def _set_up(self, link: LcdLink) -> None:
        """What an LCD has forgotten when its power was off."""
        await link.command(Command.CURSOR_STYLE, b"\x00")
        await link.command(Command.KEY_REPORTING, bytes((_ALL_KEYS, 0)))
        for character, rows in SPECIAL_CHARACTERS:
            await link.command(Command.SPECIAL_CHARACTER, encode(character) + rows)

    async def _draw(self, link: LcdLink, lines: list[str]) -> None:
        """Bring the glass from `lines` to the newest view's page, and note what is on it."""
        view = self._view
        if view is None:
            await link.command(Command.CLEAR)
            return
        page = self._page(view)
        if self._seen is None or self._seen.page.lines != page.lines:
            self._drawn = None
        changed = [row for row in range(ROWS) if lines[row] != page.lines[row]]
        # A lock that closes is written last, one that opens first.
        if LOCK in page.lines[0]:
            changed.reverse()
        for row in changed:
            await link.command(Command.TEXT, bytes((0, row)) + encode(page.lines[row]))
            lines[row] = page.lines[row]
        before = self._seen
        is_same = before is not None and before.page.key == page.key and _asked(before.view) == _asked(view)
        since = before.since if before is not None and is_same else self._clock()
        self._drawn, self._seen = view, _Seen(view, page, since)
        async with self._painted:
            self._painted.notify_all()

    # -- pages and keys -------------------------------------------------------------------------

    def _page(self, view: PanelView) -> Page:
        """The page that people chose if it is still there, else the first; an urgent one over both."""
        found = pages(view)
        urgent = next((page for page in found if page.is_urgent), None)
        chosen = next((page for page in found if page.key == self._page_key), found[0])
        return urgent or chosen

    def _pressed(self, key: Key) -> None:
        if self._seen is None:
            return
        view, page = self._seen.view, self._seen.page
        if page.is_urgent and self._clock() - self._seen.since < SETTLE_S:
            log.info("LCD: dropped a press on what has just come by itself")
            return
        match key:
            case Key.UP | Key.DOWN:
                self._turn(view, page, 1 if key is Key.DOWN else -1)
            case Key.LEFT:
                self._page_key = ""
            case Key.RIGHT if page.right:
                self._page_key = page.right
            case Key.ENTER if page.enter is not None:
                self._press(view, page.enter)
                self._page_key = "" if page.is_aside else self._page_key
            case Key.EXIT if page.exit is not None:
                self._press(view, page.exit)
            case Key.EXIT:
                self._page_key = ""
            case _:
                return
        self._wake.set()
        self._go_home_later()

    def _turn(self, view: PanelView, page: Page, step: int) -> None:
        keys = [each.key for each in pages(view) if not each.is_aside]
        at = keys.index(page.key) + step if page.key in keys else 0
        self._page_key = keys[at % len(keys)]

    def _press(self, view: PanelView, action: PanelAction) -> None:
        press = meant(view, action)
        if press is None:
            log.info("LCD: dropped a press on what is gone from the glass")
        elif self._presses.qsize() >= MAX_WAITING_PRESSES:
            log.warning("LCD: dropped a press, %d wait already", MAX_WAITING_PRESSES)
        else:
            self._presses.put_nowait(press)

    def _go_home_later(self) -> None:
        if self._home is not None:
            self._home.cancel()
        self._home = asyncio.create_task(self._go_home())

    async def _go_home(self) -> None:
        await self._pause(HOME_S)
        self._page_key = ""
        self._wake.set()


def _asked(view: PanelView) -> str:
    """Which meeting people are asked about."""
    return "" if view.incoming is None else view.incoming.title


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _make(options: LcdOptions, made: Mapping[Slot, AnyDevice]) -> LcdPanel:
    return LcdPanel(options)


DRIVER = Driver(LcdOptions, _make)
