"""The simulated panel, as a program sees it: HTTP and a real WebSocket."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from conclave_hal.device import Health
from conclave_hal.errors import DeviceError, UsageError
from conclave_hal.indicator import Light, Shown
from conclave_hal.panel import ActionKind, PanelAction, PanelView
from conclave_hal.simulated.indicator import SimulatedIndicator
from conclave_hal.simulated.mute_switch import SimulatedMuteSwitch
from conclave_hal.simulated.page_guard import PageGuard
from conclave_hal.simulated.page_messages import parse_message
from conclave_hal.simulated.panel import MAX_PAGES, PanelOptions, SimulatedPanel
from conclave_hal.simulated.privacy_switch import SimulatedPrivacySwitch
from conclave_hal.simulated.tamper import SimulatedTamper
from conclave_hal.switches import SwitchPosition, TamperStatus
from tests.hal.views import CODE, HOSTILE, IDLE, MEETING, VERIFIED


@pytest.fixture
def shutter() -> SimulatedPrivacySwitch:
    return SimulatedPrivacySwitch()


@pytest.fixture
async def panel(shutter: SimulatedPrivacySwitch) -> AsyncIterator[SimulatedPanel]:
    device = SimulatedPanel(PanelOptions(), {"shutter": shutter, "mute_switch": SimulatedMuteSwitch()})
    await device.open()
    running = asyncio.create_task(device.run())
    async with asyncio.timeout(30):
        yield device
    await device.close()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class Page:
    """A page without a browser: takes views, and paints when told."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self._connection.recv())
        return message

    async def say(self, **message: object) -> None:
        await self._connection.send(json.dumps(message))

    async def paint(self) -> dict[str, Any]:
        message = await self.receive()
        await self.say(type="drawn", sequence=message["sequence"])
        return message

    async def ended(self) -> int:
        """The code that the server closes the connection with."""
        with pytest.raises(ConnectionClosedError) as closed:
            while True:
                await self.receive()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code

    async def barrier(self, panel: SimulatedPanel) -> None:
        """Return when the panel has read everything that was said before."""
        await self.say(type="press", kind="leave")
        await anext(panel.actions())


@asynccontextmanager
async def page(panel: SimulatedPanel, **headers: str) -> AsyncIterator[Page]:
    address = panel.url.replace("http", "ws", 1) + "socket"
    async with connect(address, additional_headers=headers) as connection:
        yield Page(connection)


async def get(panel: SimulatedPanel, path: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
    """Ask for `path` (after the token, unless it starts with a slash) with raw header lines."""
    url = urlsplit(panel.url)
    target = path if path.startswith("/") else url.path + path
    lines = [f"GET {target} HTTP/1.1", *(headers or (f"Host: {url.netloc}",)), "", ""]
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write("\r\n".join(lines).encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    first, *rest = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in rest), body


async def test_a_view_arrives_and_is_on_the_glass_once_the_page_has_painted_it(panel: SimulatedPanel) -> None:
    async with page(panel) as one:
        assert (await one.paint())["view"] is None
        shown = asyncio.create_task(panel.show(MEETING))
        message = await one.receive()
        assert message["view"]["security_code"] == CODE
        assert [p["assurance"] for p in message["view"]["participants"]] == ["verified"] * 3 + ["provider"]
        assert panel.drawn() is None
        assert not shown.done()
        await one.say(type="drawn", sequence=message["sequence"])
        await shown
        assert panel.drawn() is MEETING


async def test_a_page_that_does_not_paint_degrades_the_panel_and_drawn_stays_true(
    panel: SimulatedPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conclave_hal.simulated.panel.DRAW_DEADLINE_S", 0)
    await panel.show(IDLE)
    async with page(panel) as one:
        await one.paint()
        await one.barrier(panel)
        assert panel.drawn() is IDLE
        await panel.show(MEETING)
        assert panel.state().health is Health.DEGRADED
        assert panel.drawn() is IDLE


async def test_without_a_page_drawn_is_what_a_page_would_show(panel: SimulatedPanel) -> None:
    assert panel.drawn() is None
    await panel.show(MEETING)
    assert panel.drawn() is MEETING
    assert panel.state().reason == "no page is connected"


async def test_a_hidden_page_is_no_glass_to_wait_for(panel: SimulatedPanel) -> None:
    async with page(panel) as one:
        await one.paint()
        await one.say(type="hidden")
        await panel.show(MEETING)
        assert panel.drawn() is MEETING
        assert panel.state().health is Health.READY


async def test_the_drawn_view_can_be_read_as_json(panel: SimulatedPanel) -> None:
    assert (await get(panel, "view.json"))[2] == b"null"
    await panel.show(MEETING)
    status, headers, body = await get(panel, "view.json")
    view = json.loads(body)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert (view["security_code"], view["lock"], view["state"]) == (CODE, "locked", "in_meeting")


async def test_hostile_names_leave_no_control_characters_in_the_document(panel: SimulatedPanel) -> None:
    await panel.show(HOSTILE)
    view = json.loads((await get(panel, "view.json"))[2])
    names = [participant["name"] for participant in view["participants"]]
    assert names[1] == "<script>document.title='owned'</script>"
    assert "\u202e" not in names[2] + view["title"]
    assert names[5] == "(no name)"


PRESSES = [
    ({"kind": "leave"}, PanelAction(ActionKind.LEAVE)),
    ({"kind": "mute_microphone"}, PanelAction(ActionKind.MUTE_MICROPHONE)),
    ({"kind": "unmute_camera"}, PanelAction(ActionKind.UNMUTE_CAMERA)),
    ({"kind": "admit", "request_id": "r-17"}, PanelAction(ActionKind.ADMIT, "r-17")),
    ({"kind": "deny", "request_id": "r-17"}, PanelAction(ActionKind.DENY, "r-17")),
    ({"kind": "kick", "leaf": 5}, PanelAction(ActionKind.KICK, leaf=5, name="Ana Lima")),
    ({"kind": "hand_over", "leaf": 5}, PanelAction(ActionKind.HAND_OVER, leaf=5, name="Ana Lima")),
    (
        {"kind": "compared", "leaf": 5},
        PanelAction(ActionKind.COMPARED, leaf=5, name="Ana Lima", code_epoch=7),
    ),
    (
        {"kind": "allow_back", "request_id": "ffeeddccbbaa9988"},
        PanelAction(ActionKind.ALLOW_BACK, "ffeeddccbbaa9988"),
    ),
    ({"kind": "end_for_all"}, PanelAction(ActionKind.END_FOR_ALL)),
]


@pytest.mark.parametrize(("message", "action"), PRESSES)
async def test_a_press_comes_back_as_an_action(
    panel: SimulatedPanel, message: dict[str, Any], action: PanelAction
) -> None:
    await panel.show(MEETING)
    async with page(panel) as one:
        await one.paint()
        await one.say(type="press", **message)
        assert await anext(panel.actions()) == action


@pytest.mark.parametrize("view", [VERIFIED, replace(MEETING, is_host=False)], ids=["gone", "no host"])
async def test_a_press_on_a_card_that_is_not_on_the_glass_does_nothing(
    panel: SimulatedPanel, view: Any
) -> None:
    await panel.show(view)
    async with page(panel) as one:
        await one.paint()
        await one.say(type="press", kind="admit", request_id="r-17")
        await one.say(type="press", kind="leave")
        assert await anext(panel.actions()) == PanelAction(ActionKind.LEAVE)


NO_HOST = replace(MEETING, is_host=False)
GONE: list[tuple[PanelView, dict[str, Any]]] = [
    (MEETING, {"kind": "kick", "leaf": 99}),
    (MEETING, {"kind": "kick", "leaf": 0}),
    (MEETING, {"kind": "allow_back", "request_id": "r-17"}),
    (NO_HOST, {"kind": "kick", "leaf": 5}),
    (NO_HOST, {"kind": "hand_over", "leaf": 5}),
    (NO_HOST, {"kind": "end_for_all"}),
    (NO_HOST, {"kind": "allow_back", "request_id": "ffeeddccbbaa9988"}),
    (replace(MEETING, security_code=""), {"kind": "compared", "leaf": 5}),
    (IDLE, {"kind": "end_for_all"}),
]


@pytest.mark.parametrize(("view", "message"), GONE, ids=range(len(GONE)))
async def test_a_press_on_what_is_not_on_the_glass_or_not_for_this_room_does_nothing(
    panel: SimulatedPanel, view: PanelView, message: dict[str, Any]
) -> None:
    await panel.show(view)
    async with page(panel) as one:
        await one.paint()
        await one.say(type="press", **message)
        await one.say(type="press", kind="leave")
        assert await anext(panel.actions()) == PanelAction(ActionKind.LEAVE)


async def test_a_switch_moved_on_the_page_moves_and_every_page_sees_it(
    panel: SimulatedPanel, shutter: SimulatedPrivacySwitch
) -> None:
    async with page(panel) as one, page(panel) as other:
        assert (await one.receive())["switches"] == {"shutter": "passing", "mute_switch": "passing"}
        await one.say(type="switch", switch="shutter", position="blocking")
        while (await other.receive())["switches"]["shutter"] != "blocking":
            pass
        assert shutter.state().position is SwitchPosition.BLOCKING


async def test_the_case_is_opened_on_the_page() -> None:
    tamper = SimulatedTamper()
    await tamper.open()
    panel = SimulatedPanel(PanelOptions(), {"tamper": tamper})
    await panel.open()
    seen = tamper.watch()
    await anext(seen)
    async with page(panel) as one:
        await one.say(type="switch", switch="tamper", position="blocking")
        assert (await anext(seen)).tamper is TamperStatus.TRIPPED
    await panel.close()


async def test_the_page_shows_what_the_lamps_show() -> None:
    lamps = SimulatedIndicator()
    await lamps.open()
    panel = SimulatedPanel(PanelOptions(), {}, lamps=lamps)
    await panel.open()
    running = asyncio.create_task(panel.run())
    async with page(panel) as one:
        assert (await one.receive())["lamps"] == {"ring": "off", "mute": False, "camera": False}
        await lamps.show(Shown(Light.ALARM, is_microphone_muted=True))
        while (await one.receive())["lamps"] != {"ring": "alarm", "mute": True, "camera": False}:
            pass
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await panel.close()


BAD_MESSAGES = [
    "",
    "[]",
    "{",
    "[" * 3000,
    '{"type": "draw"}',
    '{"type": "drawn", "sequence": "1"}',
    '{"type": "press", "kind": "unlock"}',
    '{"type": "press", "kind": "admit"}',
    '{"type": "press", "kind": "leave", "request_id": "r-17"}',
    '{"type": "press", "kind": "leave", "leaf": 3}',
    '{"type": "press", "kind": "kick"}',
    '{"type": "press", "kind": "kick", "leaf": -1}',
    '{"type": "press", "kind": "kick", "leaf": true}',
    '{"type": "press", "kind": "kick", "leaf": 3, "request_id": "r-17"}',
    '{"type": "press", "kind": "allow_back", "leaf": 3}',
    '{"type": "switch", "switch": "door", "position": "blocking"}',
    '{"type": "switch", "switch": "shutter", "position": "ajar"}',
]


@pytest.mark.parametrize("data", BAD_MESSAGES, ids=range(len(BAD_MESSAGES)))
def test_a_malformed_message_is_refused_with_a_typed_error(data: str) -> None:
    with pytest.raises(DeviceError):
        parse_message(data)


async def test_a_page_that_talks_nonsense_is_cut_off_and_the_panel_lives_on(panel: SimulatedPanel) -> None:
    async with page(panel) as one:
        await one.say(type="nonsense")
        assert await one.ended() == 1008
    async with page(panel) as one:
        await one.say(type="press", kind="leave", padding="x" * 5000)
        assert await one.ended() == 1009
    async with page(panel) as one:
        await one.say(type="press", kind="leave")
        assert await anext(panel.actions()) == PanelAction(ActionKind.LEAVE)


async def test_more_pages_than_a_room_has_are_turned_away(panel: SimulatedPanel) -> None:
    address = panel.url.replace("http", "ws", 1) + "socket"
    connections = [await connect(address) for _ in range(MAX_PAGES)]
    async with page(panel) as one:
        assert await one.ended() == 1013
    for connection in connections:
        await connection.close()


@pytest.mark.parametrize("path", ["/", "/view.json", "/wrong/view.json", "/wrong/socket", "/{half}/", "//"])
async def test_a_wrong_token_gets_nothing(panel: SimulatedPanel, path: str) -> None:
    half = urlsplit(panel.url).path.strip("/")[:12]
    status, _, body = await get(panel, path.replace("{half}", half))
    assert (status, body) == (404, b"Not Found\n")


@pytest.mark.parametrize(
    "headers",
    [
        ("Host: evil.example",),
        ("Host: localhost:80",),
        ("X-None: 1",),
        ("Host: {netloc}", "Origin: https://evil.example"),
        ("Host: {netloc}", "Origin: null"),
        ("Host: {netloc}", "Host: evil.example"),
    ],
)
@pytest.mark.parametrize("path", ["", "view.json", "socket"])
async def test_another_host_or_origin_is_refused(
    panel: SimulatedPanel, path: str, headers: tuple[str, ...]
) -> None:
    await panel.show(MEETING)
    netloc = urlsplit(panel.url).netloc
    status, _, body = await get(panel, path, *(line.replace("{netloc}", netloc) for line in headers))
    assert status in {400, 403}
    assert CODE.encode() not in body


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
async def test_a_socket_of_another_origin_is_refused(panel: SimulatedPanel, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with page(panel, Origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_the_page_may_load_nothing_from_elsewhere_and_is_not_kept(panel: SimulatedPanel) -> None:
    status, headers, body = await get(panel, "")
    assert status == 200
    assert b"<title>Conclave panel</title>" in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert (await get(panel, "panel.py"))[0] == 404
    assert (await get(panel, "../panel.css"))[0] == 404


async def test_only_the_page_that_hal_toml_names_may_frame_the_panel(panel: SimulatedPanel) -> None:
    _, headers, _ = await get(panel, "")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    framed = SimulatedPanel(PanelOptions(framed_by="http://127.0.0.1:8000"), {})
    await framed.open()
    try:
        _, headers, _ = await get(framed, "")
    finally:
        await framed.close()
    assert "frame-ancestors http://127.0.0.1:8000" in headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in headers


async def test_people_who_came_for_the_meeting_unmute_once(panel: SimulatedPanel) -> None:
    device = SimulatedPanel(PanelOptions(people_unmute=True), {})
    await device.open()
    try:
        for serial in range(3):
            await device.show(replace(MEETING, serial=serial))
    finally:
        await device.close()
    pressed = [action.kind async for action in device.actions()]
    assert pressed == [ActionKind.UNMUTE_MICROPHONE, ActionKind.UNMUTE_CAMERA]


async def test_the_url_file_is_for_its_owner_only_and_goes_when_the_panel_closes(tmp_path: Path) -> None:
    file = tmp_path / "panel.url"
    panel = SimulatedPanel(PanelOptions(url_file=file), {})
    await panel.open()
    assert file.read_text() == panel.url + "\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await panel.close()
    assert not file.exists()


async def test_a_closed_panel_ends_its_actions_and_shows_nothing(panel: SimulatedPanel) -> None:
    waiting = asyncio.create_task(anext(panel.actions(), None))
    await panel.show(MEETING)
    await panel.close()
    assert await waiting is None
    assert panel.drawn() is None
    with pytest.raises(UsageError):
        await panel.show(MEETING)


def test_neither_the_guard_nor_a_view_shows_its_secret_in_repr() -> None:
    guard = PageGuard()
    guard.listening("127.0.0.1", 80)
    token = guard.url.split("/")[3]
    assert token not in repr(guard)
    assert CODE not in repr(MEETING)
