"""Who is outside the room may mute and never unmute: by bus, command, setting, controller or hub.

Each way in is tried with everything that it takes, and the source is searched for another one.
"""

import ast
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import click
import pytest
import pytest_asyncio

from conclave_hal.codec_control import ControlKind
from conclave_hal.panel import ActionKind, PanelAction
from conclave_provisioning.cli.reference import leaves
from conclaved.bus import serve
from conclaved.bus.room import MeetingRequest, RoomError
from conclaved.conference import wire
from conclaved.conference.hub import Hub
from conclaved.service.settings import TABLE, Kind
from tests.bus.bus import PrivateBus
from tests.bus.peer import Peer, PeerError
from tests.cli.conftest import Cli
from tests.conference.hubs import listening, make_tls
from tests.service.rooms import TestRoom, running_room
from tests.service.test_changes import METHODS, ROOM
from tests.service.test_hosting import GUEST, HOST, Pair, names, until

DAEMON = Path(__file__).parents[2] / "daemon/conclaved"
UNMUTING = re.compile(r"unmute|listen|talk|unblock_(camera|microphone)|(camera|microphone)_on")
TRIES: dict[str, list[Any]] = {
    "s": ["unmute", "camera", ""],
    "b": [False, True],
    "x": [0, 1],
    "as": [["unmute", "camera", "microphone"]],
    "ay": [b"unmute"],
    "a{sv}": [{}],
    "a{ss}": [{"camera_muted": "false"}, {"hardware.camera_muted": "false"}],
}
"""What is tried for an argument of each type. Not-a-confirmation keeps a factory reset from happening."""


def is_muted(here: TestRoom) -> bool:
    status = here.room.hardware()
    return status.camera_muted and status.microphone_muted and status.camera_off and status.microphone_off


@pytest_asyncio.fixture(loop_scope="function")
async def bus() -> AsyncIterator[PrivateBus]:
    async with PrivateBus() as private:
        yield private


@pytest_asyncio.fixture(loop_scope="function")
async def here(tmp_path: Path, bus: PrivateBus) -> AsyncIterator[TestRoom]:
    """A muted room on the bus. The certificate authority that it would ask is not there."""
    async with running_room(tmp_path) as room, serve(room.room, address=bus.address):
        await room.room.mute(camera=True, microphone=True)
        yield room


def tries(signature: str) -> Iterator[list[Any]]:
    """Arguments for a method, each of `TRIES` at least once."""
    kinds = re.findall(r"a?(?:\{..\}|[a-z])", signature)
    for turn in range(max((len(TRIES[kind]) for kind in kinds), default=1)):
        yield [TRIES[kind][turn % len(TRIES[kind])] for kind in kinds]


async def test_no_method_on_the_bus_unmutes(here: TestRoom, bus: PrivateBus) -> None:
    peer = await Peer.connect(bus.address)
    for interface, method in METHODS:
        for arguments in tries(method.takes):
            with suppress(PeerError):
                await peer.call(ROOM + interface, method.name, method.takes, *arguments)
            assert is_muted(here), f"{interface}.{method.name}{tuple(arguments)}"
    await peer.close()


async def test_no_property_on_the_bus_can_be_set(here: TestRoom, bus: PrivateBus) -> None:
    peer = await Peer.connect(bus.address)
    for name in await peer.get_all("Hardware"):
        with pytest.raises(PeerError):
            await peer.set_flag("Hardware", name, False)
    assert is_muted(here)
    await peer.close()


@pytest.mark.parametrize(
    "words",
    [
        ("unmute",),
        ("mute", "--off"),
        ("mute", "--unmute"),
        ("mute", "off"),
        ("mute", "none"),
        ("hardware", "unmute"),
        ("hardware", "camera", "on"),
        ("meeting", "unmute"),
        ("config", "set", "hardware.camera_muted", "false"),
        ("config", "set", "camera_muted", "false"),
    ],
)
async def test_no_command_unmutes(here: TestRoom, bus: PrivateBus, words: tuple[str, ...]) -> None:
    result = await Cli(bus.address)(*words)
    assert result.code != 0
    assert is_muted(here)


def test_no_command_or_option_has_a_word_for_it() -> None:
    for name, command in leaves().items():
        options = [option for param in command.params for option in (*param.opts, *param.secondary_opts)]
        choices = [
            choice
            for param in command.params
            if isinstance(param.type, click.Choice) and name == "mute"
            for choice in param.type.choices
        ]
        words = " ".join((name, *options)).replace("-", "_")
        assert not UNMUTING.search(words), name
        assert set(map(str, choices)) <= {"camera", "microphone", "both"}


async def test_no_setting_unmutes(here: TestRoom) -> None:
    for setting in TABLE:
        assert not re.search(r"mute|microphone|shutter", setting.key), setting.key
        if setting.kind is Kind.FLAG:
            for value in ("true", "false"):
                with suppress(RoomError):
                    await here.room.set_config({setting.key: value})
                assert is_muted(here), setting.key


def test_a_room_controller_has_no_word_for_it() -> None:
    """What it can say at all is tried on the wire in `test_controlling`."""
    assert not any(UNMUTING.search(kind.value) for kind in ControlKind)
    assert {kind.value for kind in ControlKind if "mute" in kind.value} == {"mute_microphone", "mute_camera"}


async def test_nothing_that_a_hub_says_unmutes(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    tls, hub = make_tls(tmp_path / "hub"), Hub()
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(listening(hub, tls))
        host, guest = [
            await stack.enter_async_context(
                running_room(tmp_path / name, service_ca=tls.authority, domain=name, countdown_s=0)
            )
            for name in (HOST, GUEST)
        ]
        created = await host.room.create_meeting(MeetingRequest("Weekly", "standard", (GUEST,), service))
        await host.room.join_meeting(created.link)
        await until(host, lambda: names(host) == [HOST])
        two = Pair(host, guest, created.link)
        await two.guest_joins()
        await two.until(lambda room: len(names(room)) == 2)
        assert is_muted(host)
        junk = bytes(range(64))
        (meeting,) = hub._meetings.values()
        client = meeting.clients[min(meeting.clients)]
        for message in (
            wire.LogEntry(10_000, junk),
            wire.LobbyData(junk),
            wire.LiveData(junk),
            wire.PublishAnswer(1, True),
            wire.PublishAnswer(1, False),
            wire.LeaderIs(True),
            wire.LeaderIs(False),
            wire.NoMediaPlace("unmute"),
            wire.MediaPlace(junk),
        ):
            client.send(message)
        # The same connection carries this: all of the above was heard before it.
        guest.room.act(PanelAction(ActionKind.UNMUTE_CAMERA))
        await until(host, lambda: any(p.camera == "live" for p in host.room.meeting().participants))
        assert is_muted(host)


def test_one_place_in_the_daemon_unmutes_and_only_presses_in_the_room_lead_there() -> None:
    calls: dict[str, set[tuple[str, str]]] = {"unmute": set(), "act": set()}
    for path in DAEMON.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and node.attr in calls:
                    calls[node.attr].add((path.name, function.name))
    assert calls["unmute"] == {("room.py", "act")}
    assert calls["act"] == {("room.py", "run"), ("room.py", "_listen_to_buttons")}
