"""The driver `pixels` of the slot `panel`: views become pictures on a glass, touches become presses.

    show(view), a press, a button -> lay out -> draw -> glass -> read back -> drawn() says so

What is drawn and what is pressed are one thing: a press means what stood under the finger on the view that
was really on the glass, and had stood there for a moment. Pictures are made in one worker thread, so that
the event loop never waits for one; when several views come meanwhile, the newest is drawn.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from PIL import Image

from conclave_hal.buttons import Button
from conclave_hal.device import AnyDevice, DeviceState, Health
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import (
    ConfigurationError,
    DeviceError,
    DeviceGoneError,
    DeviceTimeoutError,
    HalError,
    UsageError,
)
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.panel import ActionKind, Panel, PanelAction, PanelView
from conclave_hal.panel_press import meant
from conclave_hal.pixels.drawing import Artist
from conclave_hal.pixels.fonts import can_shape, find_fonts
from conclave_hal.pixels.glass import Glass
from conclave_hal.pixels.glasses import open_glass
from conclave_hal.pixels.layout import lay_out
from conclave_hal.pixels.navigation import Ask, Opened, Press, Target, moved, settled, step
from conclave_hal.pixels.pixel_panel_options import PixelPanelOptions
from conclave_hal.pixels.scene import Scene, Touch
from conclave_hal.pixels.screen import Screen, Theme
from conclave_hal.pixels.touch import Tap, turned
from conclave_hal.pixels.touch_reader import OpensTouch, TouchNode, taps
from conclave_hal.pixels.typesetting import Typesetter
from conclave_hal.worker import Worker

log = logging.getLogger(__name__)

T = TypeVar("T")

DRAW_DEADLINE_S = 5.0
"""A small board takes a tenth of a second; a card that takes longer than this shows nothing."""
CHECK_EVERY_S = 1.0
SETTLE_S = 0.5
"""A finger on its way to one button must not hit another that has just moved under it."""
FORGOTTEN_AFTER_S = 60.0
"""What nobody touches is closed: the next people are to see the code and who is in."""
MAX_WAITING_PRESSES = 32

_TURNS = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
"""Pillow turns to the left, `rotation` to the right."""


OpensGlass = Callable[[PixelPanelOptions], Glass]


def _open(options: PixelPanelOptions) -> Glass:
    return open_glass(
        options.backend,
        options.device,
        options.connector,
        png_file=options.png_file,
        png_size=(options.png_width, options.png_height),
    )


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What stands on the glass."""

    view: PanelView
    opened: Opened
    scene: Scene


class PixelPanel(HotPlugDevice[DeviceState], Panel):
    """Draws views on a glass, and takes what people touch there."""

    def __init__(
        self,
        options: PixelPanelOptions,
        *,
        opens_glass: OpensGlass = _open,
        opens_touch: OpensTouch = TouchNode,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pause` waits so many seconds, `clock` tells them; both stand in for time in tests."""
        super().__init__(pause=pause)
        self._options = options
        self._opens_glass = opens_glass
        self._opens_touch = opens_touch
        self._clock = clock
        self._worker = Worker("panel")
        self._artist: Artist | None = None
        self._typesetter: Typesetter | None = None
        self._glass: Glass | None = None
        self._view: PanelView | None = None
        self._opened = Opened()
        self._drawn: _Drawn | None = None
        self._since: dict[Touch, float] = {}
        self._pressed_at = 0.0
        self._touch_lost = ""
        self._drawing = asyncio.Lock()
        self._presses: asyncio.Queue[PanelAction | None] = asyncio.Queue()
        self._is_closed = False

    async def open(self) -> None:
        """Find the fonts. Raises ConfigurationError where the code cannot be set at all."""
        fonts = await self._worker.call(find_fonts, self._options.font_folder)
        self._typesetter = Typesetter(fonts)
        self._artist = Artist(self._typesetter)

    async def close(self) -> None:
        """Leave the glass, end `actions`."""
        if self._is_closed:
            return
        self._is_closed = True
        self._presses.put_nowait(None)
        self._view = self._drawn = None
        await self._leave_glass()
        await self._worker.close()

    async def show(self, view: PanelView) -> None:
        """Draw `view`; returns when it is on the glass, or when there is none: `drawn` tells."""
        if self._artist is None or self._is_closed:
            raise UsageError("the panel is not open")
        self._view = view
        self._opened = settled(self._opened, view)
        await self._redraw()

    def drawn(self) -> PanelView | None:
        """The view that was written to the glass and read back from it, while nothing has covered it."""
        return self._drawn.view if self._drawn is not None else None

    async def actions(self) -> AsyncIterator[PanelAction]:
        """What people press, until `close`."""
        while not self._is_closed or not self._presses.empty():
            action = await self._presses.get()
            if action is None:
                return
            yield action

    async def navigate(self, button: Button) -> None:
        """Move the selection, or press what is selected."""
        drawn = await self._settled_glass()
        if drawn is None:
            return
        targets = [touch.target for touch in drawn.scene.touches]
        opened, target = moved(self._opened, button, targets)
        self._pressed_at = self._clock()
        if target is not None:
            await self._press(target)
        elif opened != self._opened:
            self._opened = opened
            await self._redraw()

    def selected(self) -> str:
        """The invitation that SELECT would join, or nothing."""
        target = self.selected_target
        if isinstance(target, Press) and target.action.kind is ActionKind.JOIN:
            return target.action.invitation_id
        return ""

    @property
    def selected_target(self) -> Target | None:
        """What SELECT would press."""
        return self._opened.selected

    async def tapped(self, tap: Tap) -> None:
        """A finger came and went, on the glass's own axes."""
        drawn = await self._settled_glass()
        if drawn is None:
            return
        there = turned(tap, self._options.rotation)
        touch = drawn.scene.at(there.x * drawn.scene.width, there.y * drawn.scene.height)
        self._pressed_at = self._clock()
        if touch is None:
            return
        is_new = self._clock() - self._since.get(touch, self._clock()) < SETTLE_S
        if is_new and isinstance(touch.target, Press | Ask):
            log.info("panel: dropped a press on what has just come under the finger")
            return
        await self._press(touch.target)

    async def _settled_glass(self) -> _Drawn | None:
        """What is on the glass once no picture is on its way to it."""
        async with self._drawing:
            return self._drawn

    async def _press(self, target: Target) -> None:
        done = step(self._opened, target)
        if done.action is not None:
            self._hand_on(done.action)
        if done.opened != self._opened:
            self._opened = done.opened
            await self._redraw()

    def _hand_on(self, action: PanelAction) -> None:
        press = meant(self.drawn(), action)
        if press is None:
            log.info("panel: dropped a press on what is gone from the glass")
        elif self._presses.qsize() >= MAX_WAITING_PRESSES:
            log.warning("panel: dropped a press, %d wait already", MAX_WAITING_PRESSES)
        else:
            self._presses.put_nowait(press)

    async def _session(self) -> None:
        """Hold the glass until it goes."""
        is_given_up = Event()
        try:
            self._glass = await self._in_time(self._open_glass, is_given_up)
        except BaseException:
            is_given_up.set()
            raise
        try:
            await self._publish(self._ready())
            await self._redraw()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch_glass())
                if self._options.touch:
                    group.create_task(self._follow_touch(self._options.touch))
        except ExceptionGroup as errors:
            raise _only(errors) from None
        finally:
            await self._leave_glass()

    def _open_glass(self, is_given_up: Event) -> Glass:
        """In the worker. A glass that comes when nobody waits for it any more would be nobody's to close."""
        glass = self._opens_glass(self._options)
        if is_given_up.is_set():
            glass.close()
            raise DeviceGoneError("the panel's screen came too late")
        return glass

    async def _watch_glass(self) -> None:
        """Look every second; draw over what covered the picture, and say so if that does not help."""
        while True:
            await self._pause(CHECK_EVERY_S)
            async with self._drawing:
                glass = self._glass
                if glass is None:
                    return
                try:
                    await self._in_time(glass.check)
                except DeviceError as error:
                    log.warning("panel: %s; drawn anew", error)
                    self._drawn = None
            if self._drawn is None and self._view is not None:
                await self._redraw()
            elif self._is_forgotten():
                self._opened = Opened()
                await self._redraw()

    def _is_forgotten(self) -> bool:
        return self._opened != Opened() and self._clock() - self._pressed_at >= FORGOTTEN_AFTER_S

    async def _follow_touch(self, path: str) -> None:
        """Taps for as long as the touch screen is there; a panel without it still shows."""
        while True:
            try:
                async with aclosing(taps(path, self._opens_touch)) as coming:
                    async for tap in coming:
                        if tap is None:
                            await self._touch_is("")
                        else:
                            await self.tapped(tap)
            except (HalError, OSError) as error:
                reason = str(error) if isinstance(error, HalError) else f"{path}: {error.strerror}"
                await self._touch_is(reason)
            await self._pause(CHECK_EVERY_S)

    async def _touch_is(self, lost: str) -> None:
        self._touch_lost = lost
        if self._state.health in (Health.READY, Health.DEGRADED):
            await self._publish(self._ready())

    def _ready(self) -> DeviceState:
        if self._touch_lost:
            return DeviceState(Health.DEGRADED, f"nobody can touch it: {self._touch_lost}")
        if not can_shape():
            return DeviceState(Health.READY, "Arabic and Devanagari are not joined: Pillow lacks RAQM")
        return DeviceState(Health.READY)

    async def _redraw(self) -> None:
        """Draw the newest view, if there is a glass. A failure shows in the health."""
        async with self._drawing:
            glass, view, opened = self._glass, self._view, self._opened
            if glass is None or view is None:
                return
            drawn = self._drawn
            if drawn is not None and drawn.view is view and drawn.opened == opened:
                return
            # Nobody knows what is on the glass when a picture fails on its way, or is given up.
            self._drawn = None
            try:
                scene = await self._in_time(self._draw, glass, view, opened)
            except (HalError, OSError) as error:
                reason = str(error)
                if isinstance(error, OSError):
                    reason = f"{glass.name}: {error.strerror or error}"
                log.warning("panel: nothing is drawn: %s", reason)
            except Exception as error:  # the picture's root: a fault in drawing costs the panel, not the room
                reason = f"a fault in drawing: {type(error).__name__}"
                log.exception("panel: nothing is drawn")
            else:
                self._show_as_drawn(_Drawn(view, opened, scene))
                if self._state.health is Health.FAILED:
                    await self._publish(self._ready())
                return
            await self._publish(DeviceState(Health.FAILED, reason))

    def _show_as_drawn(self, drawn: _Drawn) -> None:
        now = self._clock()
        self._drawn = drawn
        self._since = {touch: self._since.get(touch, now) for touch in drawn.scene.touches}

    def _draw(self, glass: Glass, view: PanelView, opened: Opened) -> Scene:
        """In the worker."""
        if self._artist is None or self._typesetter is None:
            raise UsageError("the panel is not open")
        rotation = self._options.rotation
        width, height = (glass.width, glass.height)
        if rotation in (90, 270):
            width, height = height, width
        screen = Screen(width, height, self._options.diagonal_inches, Theme(self._options.theme))
        try:
            scene = lay_out(view, opened, screen, self._typesetter)
            picture = self._artist.draw(scene, screen.theme)
        except Exception:  # the picture's root: who waits for it gets the error
            # The picture before may show a lock that is none any more.
            glass.show(Image.new("RGB", (glass.width, glass.height)))
            raise
        if rotation:
            picture = picture.transpose(_TURNS[rotation])
        glass.show(picture)
        return scene

    async def _in_time(self, function: Callable[..., T], *arguments: object) -> T:
        try:
            async with asyncio.timeout(DRAW_DEADLINE_S):
                return await self._worker.call(function, *arguments)
        except TimeoutError as error:
            raise DeviceTimeoutError("the panel's screen does not take a picture") from error

    async def _leave_glass(self) -> None:
        async with self._drawing:
            glass, self._glass, self._drawn = self._glass, None, None
            self._since = {}
            if glass is None:
                return
            # Not cancelled when it takes long: who does not close a card keeps it from being opened again.
            closing = asyncio.ensure_future(self._worker.call(glass.close))
            closing.add_done_callback(_closed)
            await asyncio.wait({closing}, timeout=DRAW_DEADLINE_S)


def _closed(closing: asyncio.Future[None]) -> None:
    """What a screen that has gone says to that is of no interest, unless it is a fault of ours."""
    error = None if closing.cancelled() else closing.exception()
    if error is not None and not isinstance(error, HalError | OSError):
        log.error("panel: its screen was not closed in order", exc_info=error)


def _only(errors: ExceptionGroup[Exception]) -> Exception:
    """The device's own error, where it is one; a fault of ours stays a group with its trace."""
    found = errors.exceptions[0]
    return found if isinstance(found, HalError | OSError) else errors


def _make(options: PixelPanelOptions, made: Mapping[Slot, AnyDevice]) -> PixelPanel:
    if options.backend == "png" and options.png_file is None:
        raise ConfigurationError("png_file: is required with backend png")
    return PixelPanel(options)


DRIVER = Driver(PixelPanelOptions, _make)
