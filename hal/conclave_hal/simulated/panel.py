"""The simulated panel: a web page on loopback that shows views and takes presses.

What is on the glass. Each connected page acknowledges a view after it has painted it; `drawn`
is the view acknowledged last by a page that is still connected and visible. While no page is
connected `drawn` is the view that a page would show as soon as it connects: nobody looks, so
nobody can be misled, and a room without a browser can still be asked what it would show.
"""

import asyncio
import json
import logging
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from conclave_hal.buttons import Button
from conclave_hal.device import AnyDevice, DeviceState, Health
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import ConfigurationError, DeviceError, UsageError
from conclave_hal.indicator import Shown
from conclave_hal.options import (
    ListenAddress,
    Option,
    file_path,
    flag,
    loopback_address,
    loopback_origin,
)
from conclave_hal.panel import LANGUAGES, ActionKind, MeetingState, Panel, PanelAction, PanelView
from conclave_hal.panel_document import panel_document
from conclave_hal.panel_press import meant
from conclave_hal.simulated.buttons import SimulatedButtons
from conclave_hal.simulated.indicator import SimulatedIndicator
from conclave_hal.simulated.page_guard import PageGuard
from conclave_hal.simulated.page_messages import (
    MAX_MESSAGE_BYTES,
    ButtonPressed,
    Drawn,
    Hidden,
    Selected,
    SwitchMoved,
    parse_message,
)
from conclave_hal.simulated.phone_code import phone_code
from conclave_hal.simulated.switch import Movable, SimulatedSwitch
from conclave_hal.simulated.tamper import SimulatedTamper

log = logging.getLogger(__name__)

DRAW_DEADLINE_S = 1.0
"""A visible page paints within a frame; one that does not is no glass to wait for."""
MAX_PAGES = 8
MAX_WAITING_PRESSES = 32
CLOSE_DEADLINE_S = 2.0

_FREE_PORT = ListenAddress("127.0.0.1", 0)

_SCRIPT = "text/javascript; charset=utf-8"
_STYLE = "text/css; charset=utf-8"
_STATIC = {
    "": ("index.html", "text/html; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    **{name: (name, _STYLE) for name in ("panel.css", "details.css")},
    **{
        f"{name}.js": (f"{name}.js", _SCRIPT)
        for name in (
            "panel",
            "draw",
            "around",
            "joining",
            "elements",
            "hosting",
            "people",
            "details",
            "large_code",
        )
    },
    **{f"{name}.js": (f"{name}.js", _SCRIPT) for name in ("words", *(f"words_{name}" for name in LANGUAGES))},
}


@dataclass(frozen=True, slots=True)
class PanelOptions:
    """Options of the simulated panel."""

    listen: Annotated[ListenAddress, Option(loopback_address(), "where the page is served")] = _FREE_PORT
    url_file: Annotated[
        Path | None,
        Option(file_path(), "gets the page's address, for its owner's eyes only, once it is served"),
    ] = None
    framed_by: Annotated[
        str, Option(loopback_origin(), "a page of this machine that may show this one in a frame")
    ] = ""
    people_unmute: Annotated[
        bool, Option(flag(), "people in the room unmute camera and microphone when a meeting begins")
    ] = False


@dataclass(eq=False, slots=True)
class _Page:
    """One browser page that is connected."""

    connection: ServerConnection
    sent: dict[int, PanelView] = field(default_factory=dict, repr=False)
    """Views sent and not acknowledged yet, by sequence number."""
    drawn: PanelView | None = field(default=None, repr=False)
    is_hidden: bool = False
    selected: str = ""
    """The invitation that has the focus there."""
    navigation: list[str] = field(default_factory=list)
    """Buttons that the page has not heard of yet."""
    outgoing: asyncio.Event = field(default_factory=asyncio.Event)


class SimulatedPanel(Panel):
    """Serves the page, pushes views to it, and hands on what people press there."""

    def __init__(
        self,
        options: PanelOptions,
        switches: Mapping[str, Movable],
        buttons: SimulatedButtons | None = None,
        lamps: SimulatedIndicator | None = None,
    ) -> None:
        super().__init__()
        self._lamps = lamps
        self._buttons = buttons
        self._options = options
        self._switches = dict(switches)
        self._guard = PageGuard()
        self._server: Server | None = None
        self._pages: list[_Page] = []
        self._view: PanelView | None = None
        self._drawn: PanelView | None = None
        self._sequence = 0
        self._painted = asyncio.Condition()
        self._presses: asyncio.Queue[PanelAction | None] = asyncio.Queue()
        self._is_closed = False

    @property
    def url(self) -> str:
        """The page's address with its token. Raises UsageError before `open`."""
        if self._server is None:
            raise UsageError("the panel is not open")
        return self._guard.url

    async def open(self) -> None:
        """Serve the page and write `url_file`. Raises ConfigurationError if either is impossible."""
        address = self._options.listen
        try:
            self._server = await serve(
                self._serve_page,
                address.host,
                address.port,
                process_request=self._answer,
                compression=None,
                max_size=MAX_MESSAGE_BYTES,
                max_queue=MAX_WAITING_PRESSES,
                close_timeout=CLOSE_DEADLINE_S,
                server_header=None,
            )
        except OSError as error:
            raise ConfigurationError(
                f"panel: cannot listen on {address.host} port {address.port}: {error.strerror}",
                hint="another program may use the port; 0 picks a free one",
            ) from error
        self._guard.listening(address.host, self._server.sockets[0].getsockname()[1])
        if self._options.url_file is not None:
            _write_private(self._options.url_file, self._guard.url + "\n")
        await self._publish(DeviceState(Health.READY, "no page is connected"))

    async def run(self) -> None:
        """Push the switches' positions to the pages whenever one is moved."""
        async with asyncio.TaskGroup() as group:
            for switch in self._switches.values():
                group.create_task(self._follow(switch))
            if self._lamps is not None:
                group.create_task(self._follow(self._lamps))
            group.create_task(asyncio.Event().wait())

    async def close(self) -> None:
        """Stop serving, remove `url_file`, end `actions`."""
        if self._is_closed:
            return
        self._is_closed = True
        self._presses.put_nowait(None)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
            if self._options.url_file is not None:
                self._options.url_file.unlink(missing_ok=True)
        self._view = self._drawn = None

    async def show(self, view: PanelView) -> None:
        """Push `view` to all pages; return when a visible one has painted it, or none can.

        A page that does not paint within a second makes the panel DEGRADED; `drawn` tells.
        """
        if self._server is None:
            raise UsageError("the panel is not open")
        if self._options.people_unmute:
            self._let_people_unmute(self._view, view)
        self._view = view
        self._push()
        try:
            async with asyncio.timeout(DRAW_DEADLINE_S), self._painted:
                await self._painted.wait_for(lambda: self._is_shown(view))
        except TimeoutError:
            await self._publish(DeviceState(Health.DEGRADED, "the page does not draw"))

    def drawn(self) -> PanelView | None:
        """The view on the glass; see the head of this file for a room that nobody looks at."""
        return self._drawn if self._visible_pages() else self._view

    async def actions(self) -> AsyncIterator[PanelAction]:
        """What people press, until `close`."""
        while not self._is_closed or not self._presses.empty():
            action = await self._presses.get()
            if action is None:
                return
            yield action

    async def navigate(self, button: Button) -> None:
        """Move the focus of the page as its keyboard would, or press what has it."""
        for page in self._visible_pages():
            if len(page.navigation) < MAX_WAITING_PRESSES:
                page.navigation.append(button.value)
                page.outgoing.set()

    def selected(self) -> str:
        """What has the focus on a page that is seen."""
        return next((page.selected for page in self._visible_pages() if page.selected), "")

    def _visible_pages(self) -> list[_Page]:
        return [page for page in self._pages if not page.is_hidden]

    def _is_shown(self, view: PanelView) -> bool:
        pages = self._visible_pages()
        return self._view is not view or not pages or all(page.drawn is view for page in pages)

    async def _follow(self, device: Movable | SimulatedIndicator) -> None:
        async for _ in device.watch():
            self._push()

    def _push(self) -> None:
        for page in self._pages:
            page.outgoing.set()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse strangers, answer with a file, or let the WebSocket through (None)."""
        resource = self._guard.resource(request.path, request.headers)
        if isinstance(resource, HTTPStatus):
            log.warning("panel: refused a request: %s", resource.phrase)
            return self._response(resource, f"{resource.phrase}\n".encode())
        if resource == "socket":
            return None
        if resource == "view.json":
            view = self.drawn()
            document = None if view is None else panel_document(view)
            return self._response(HTTPStatus.OK, json.dumps(document).encode(), "application/json")
        if resource in _STATIC:
            name, content_type = _STATIC[resource]
            body = files(__package__).joinpath("page", name).read_bytes()
            return self._response(HTTPStatus.OK, body, content_type)
        return self._response(HTTPStatus.NOT_FOUND, b"Not Found\n")

    def _response(self, status: HTTPStatus, body: bytes, content_type: str = "text/plain") -> Response:
        framed_by = self._options.framed_by or "'none'"
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self' {self._guard.origin.replace('http', 'ws', 1)}; "
            f"base-uri 'none'; form-action 'none'; frame-ancestors {framed_by}"
        )
        headers = Headers(
            {
                "Content-Type": content_type,
                "Content-Length": str(len(body)),
                "Connection": "close",
                "Cache-Control": "no-store",
                "Content-Security-Policy": policy,
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            }
        )
        if not self._options.framed_by:
            headers["X-Frame-Options"] = "DENY"
        return Response(status.value, status.phrase, headers, body)

    async def _serve_page(self, connection: ServerConnection) -> None:
        """Own one page's connection until either side ends it."""
        if len(self._pages) >= MAX_PAGES:
            await connection.close(1013, "too many pages")
            return
        page = _Page(connection)
        page.outgoing.set()
        self._pages.append(page)
        await self._publish(DeviceState(Health.READY, ""))
        try:
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(self._send_views(page))
                try:
                    async for message in connection:
                        await self._receive(page, message)
                finally:
                    sender.cancel()
        except* ConnectionClosed:
            pass
        except* DeviceError as errors:
            log.warning("panel: closed a page: %s", errors.exceptions[0])
            await connection.close(1008, "not a message of this page")
        finally:
            self._pages.remove(page)
            await self._repainted()
            if not self._pages:
                await self._publish(DeviceState(Health.READY, "no page is connected"))

    async def _send_views(self, page: _Page) -> None:
        while True:
            await page.outgoing.wait()
            page.outgoing.clear()
            navigation, page.navigation = page.navigation, []
            for button in navigation:
                await page.connection.send(json.dumps({"type": "navigate", "button": button}))
            self._sequence += 1
            view = self._view
            if view is not None:
                # A page that never paints must not make the room remember old views.
                page.sent = {**dict(list(page.sent.items())[-7:]), self._sequence: view}
            message = {
                "type": "view",
                "sequence": self._sequence,
                "view": None if view is None else panel_document(view),
                "phone": None if view is None else phone_code(view),
                "switches": {name: switch.position.value for name, switch in self._switches.items()},
                "lamps": None if self._lamps is None else _lit(self._lamps),
                "buttons": [] if self._buttons is None else [button.value for button in Button],
            }
            await page.connection.send(json.dumps(message))

    async def _receive(self, page: _Page, data: str | bytes) -> None:
        match parse_message(data):
            case Drawn(sequence):
                view = page.sent.get(sequence)
                page.sent = {number: sent for number, sent in page.sent.items() if number > sequence}
                page.is_hidden = False
                if view is not None:
                    page.drawn = self._drawn = view
                    if self.state().health is Health.DEGRADED:
                        await self._publish(DeviceState(Health.READY, ""))
                await self._repainted()
            case Hidden():
                page.is_hidden = True
                await self._repainted()
            case SwitchMoved(switch, position):
                if switch not in self._switches:
                    raise DeviceError(f"the page moved a switch that is not simulated here: {switch}")
                await self._switches[switch].move(position)
            case Selected(invitation_id):
                page.selected = invitation_id
            case ButtonPressed(button):
                if self._buttons is None:
                    raise DeviceError("the page pressed a button that is not simulated here")
                self._buttons.press(button)
            case PanelAction() as action:
                self._press(page, action)

    def _press(self, page: _Page, action: PanelAction) -> None:
        press = meant(page.drawn, action)
        if press is None:
            log.info("panel: dropped a press on what is gone from the glass")
            return
        if self._presses.qsize() >= MAX_WAITING_PRESSES:
            log.warning("panel: dropped a press, %d wait already", MAX_WAITING_PRESSES)
            return
        self._presses.put_nowait(press)

    def _let_people_unmute(self, before: PanelView | None, view: PanelView) -> None:
        """What people do who came for the meeting: one press each, once, as soon as they are in it."""
        was_in = before is not None and before.state is MeetingState.IN_MEETING
        if view.state is MeetingState.IN_MEETING and not was_in:
            self._presses.put_nowait(PanelAction(ActionKind.UNMUTE_MICROPHONE))
            self._presses.put_nowait(PanelAction(ActionKind.UNMUTE_CAMERA))

    async def _repainted(self) -> None:
        visible = self._visible_pages()
        if visible and not any(page.drawn is self._drawn for page in visible):
            self._drawn = visible[-1].drawn
        async with self._painted:
            self._painted.notify_all()


def _write_private(path: Path, text: str) -> None:
    """Put `text` at `path` in one step, mode 0600. Raises ConfigurationError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigurationError(f"panel: url_file {path} cannot be written: {error.strerror}") from error


def _lit(lamps: SimulatedIndicator) -> dict[str, str | bool]:
    """What the lamps show, for the page."""
    shown = lamps.state().shown or Shown()
    return {"ring": shown.ring.value, "mute": shown.is_microphone_muted, "camera": shown.is_camera_live}


def _make(options: PanelOptions, made: Mapping[Slot, AnyDevice]) -> SimulatedPanel:
    around = {"shutter": Slot.PRIVACY_SWITCH, "mute_switch": Slot.MUTE_SWITCH, "tamper": Slot.TAMPER}
    found = {name: made.get(slot) for name, slot in around.items()}
    switches: dict[str, Movable] = {
        name: switch
        for name, switch in found.items()
        if isinstance(switch, SimulatedSwitch | SimulatedTamper)
    }
    buttons, lamps = made.get(Slot.BUTTONS), made.get(Slot.INDICATOR)
    return SimulatedPanel(
        options,
        switches,
        buttons if isinstance(buttons, SimulatedButtons) else None,
        lamps if isinstance(lamps, SimulatedIndicator) else None,
    )


DRIVER = Driver(PanelOptions, _make)
