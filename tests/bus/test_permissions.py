"""Who may read and who may write: by the daemon's own check, and by the policy file on a real bus."""

import os
from pathlib import Path

import pytest

from conclaved.bus import Permissions, serve
from conclaved.bus.connection import Caller
from conclaved.bus.room import Topic
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import IN_MEETING, FakeRoom
from tests.bus.peer import NAME, Peer, PeerError

POLICY = Path(__file__).parents[2] / "systemd/dbus/org.conclave.Room1.conf"
NOBODY = 65534
# Groups that every Debian has, in place of ours that only an installed device has.
# Any user but root and whoever runs the tests.
STRANGER = os.getuid() + 1000
READERS, WRITERS = 60, 12
PLACED = Permissions(
    reader_gids=frozenset({READERS}), writer_uids=frozenset({os.getuid()}), writer_gids=frozenset({WRITERS})
)
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can connect as another user")


def policy_text() -> str:
    """The shipped policy with our groups' names replaced by the numbers of groups that exist here."""
    text = POLICY.read_text()
    assert text.count('group="conclave"') == text.count('group="conclave-admin"') == 1
    return text.replace('group="conclave"', f'group="{READERS}"').replace(
        'group="conclave-admin"', f'group="{WRITERS}"'
    )


@pytest.mark.parametrize(
    ("caller", "reads", "writes"),
    [
        (Caller(os.getuid(), frozenset()), True, True),
        (Caller(STRANGER, frozenset({WRITERS})), True, True),
        (Caller(STRANGER, frozenset({READERS, 5})), True, False),
        (Caller(STRANGER, frozenset({5})), False, False),
        (Caller(STRANGER, frozenset()), False, False),
    ],
)
def test_permission_follows_user_and_groups(caller: Caller, reads: bool, writes: bool) -> None:
    assert PLACED.may_read(caller) is reads
    assert PLACED.may_write(caller) is writes


def test_root_and_the_daemons_own_user_may_always_write() -> None:
    system = Permissions.of_system()
    assert system.may_write(Caller(0, frozenset()))
    assert system.may_write(Caller(os.getuid(), frozenset()))


async def test_a_caller_without_permission_reads_nothing_and_changes_nothing(
    bus: PrivateBus, peer: Peer
) -> None:
    room = FakeRoom()
    async with serve(room, address=bus.address, permissions=Permissions()):
        for attempt in (
            peer.get_all("Meeting"),
            peer.get("Meeting", "SecurityCode"),
            peer.call(NAME + ".Meeting", "Leave"),
            peer.call(NAME + ".Hardware", "Mute", "bb", True, True),
        ):
            with pytest.raises(PeerError) as caught:
                await attempt
            assert caught.value.name == "org.conclave.Room1.Error.NotPermitted"
            assert "group conclave" in caught.value.text
    assert room.done == []


async def test_a_reader_may_not_write(bus: PrivateBus, peer: Peer) -> None:
    room = FakeRoom()
    readers = Permissions(reader_uids=frozenset({os.getuid()}))
    async with serve(room, address=bus.address, permissions=readers):
        assert await peer.get("Meeting", "State") == "idle"
        with pytest.raises(PeerError, match="may not change"):
            await peer.call(NAME + ".Meeting", "Leave")
    assert room.done == []


@as_root
async def test_under_the_shipped_policy_a_user_in_no_group_hears_and_sees_nothing() -> None:
    async with PrivateBus(service_policy=POLICY.read_text()) as bus:
        room = FakeRoom()
        root = await Peer.connect(bus.address)
        stranger = await Peer.connect(bus.address, uid=NOBODY)
        await root.listen()
        await stranger.listen()
        # In a meeting from the start: coming onto the bus must not tell either.
        room.meeting_status = IN_MEETING
        async with serve(room, address=bus.address):
            room.set(Topic.MEETING, IN_MEETING.__class__("left", left_reason="over"))
            interface, changed = await root.next_heard()
            assert (interface, changed["SecurityCode"]) == (NAME + ".Meeting", "")
            await stranger.ping_bus()
            assert stranger.heard.empty()
            with pytest.raises(PeerError) as caught:
                await stranger.get_all("Meeting")
            assert caught.value.name == "org.freedesktop.DBus.Error.AccessDenied"
        await stranger.close()
        await root.close()


@as_root
async def test_without_the_policy_file_the_daemon_still_refuses_a_user_in_no_group() -> None:
    rules = '<allow own="*"/><allow send_destination="*"/>'
    everybody = f'<busconfig><policy context="default">{rules}</policy></busconfig>'
    async with PrivateBus(service_policy=everybody) as bus:
        stranger = await Peer.connect(bus.address, uid=NOBODY)
        async with serve(FakeRoom(), address=bus.address):
            with pytest.raises(PeerError) as caught:
                await stranger.get("Meeting", "SecurityCode")
            assert caught.value.name == "org.conclave.Room1.Error.NotPermitted"
        await stranger.close()


@as_root
async def test_the_readers_group_hears_and_reads_but_does_not_write() -> None:
    async with PrivateBus(service_policy=policy_text()) as bus:
        room = FakeRoom()
        reader = await Peer.connect(bus.address, uid=NOBODY, groups=(READERS,))
        await reader.listen()
        async with serve(room, address=bus.address, permissions=PLACED):
            room.set(Topic.MEETING, IN_MEETING)
            _, changed = await reader.next_heard()
            assert changed["SecurityCode"] == IN_MEETING.security_code
            assert await reader.get("Meeting", "State") == "in_meeting"
            with pytest.raises(PeerError) as caught:
                await reader.call(NAME + ".Meeting", "Leave")
            assert caught.value.name == "org.conclave.Room1.Error.NotPermitted"
        await reader.close()
    assert room.done == []


@as_root
async def test_the_admins_group_writes() -> None:
    async with PrivateBus(service_policy=policy_text()) as bus:
        room = FakeRoom()
        admin = await Peer.connect(bus.address, uid=NOBODY, groups=(WRITERS,))
        async with serve(room, address=bus.address, permissions=PLACED):
            await admin.call(NAME + ".Meeting", "Leave")
        await admin.close()
    assert room.done == [("leave_meeting",)]


@as_root
async def test_an_ordinary_user_cannot_take_the_rooms_name() -> None:
    async with PrivateBus(service_policy=POLICY.read_text()) as bus:
        stranger = await Peer.connect(bus.address, uid=NOBODY)
        with pytest.raises(PeerError) as caught:
            await stranger.call(
                "org.freedesktop.DBus",
                "RequestName",
                "su",
                NAME,
                0,
                path="/org/freedesktop/DBus",
                destination="org.freedesktop.DBus",
            )
        assert caught.value.name == "org.freedesktop.DBus.Error.AccessDenied"
        await stranger.close()
