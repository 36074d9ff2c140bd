"""Floods and giants: what one can make others spend is bounded, and they get on with their meeting."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from conclaved.identity import SoftwareSigner
from conclaved.meeting import Role, State, lobby
from conclaved.meeting.admission import ADMISSION_EXTENSION, issue
from conclaved.meeting.events import Lobby
from conclaved.meeting.joining import MOST_EXAMINED
from conclaved.meeting.limits import BURST_S, DEFAULT_LIMITS
from conclaved.meeting.link import NONCE_BYTES
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.mls import Add, AuthenticatedContent, Remove, Update, WireFormat, commit_creation
from conclaved.mls.codec import vector
from conclaved.mls.crypto import crypto_for
from conclaved.mls.framing import FramedContent, Sender, SenderType
from conclaved.mls.message_protection import sign_content
from conclaved.mls.mls_message import MlsMessage
from conclaved.mls.ratchet_tree import RatchetTree
from conclaved.mls.welcome import seal_welcome
from tests.meeting.cast import bundle_of
from tests.meeting.insider import LEAVE, Insider
from tests.meeting.meter import MESSAGE, Meter
from tests.meeting.simulated_service import (
    SUITE,
    UNKNOWN_CA,
    Meeting,
    Room,
    SimulatedService,
    agree,
    identity,
)

A, B = identity("a.example.com"), identity("b.example.com")
LATE = identity("late.example.com")
STRANGER = identity("stranger.example.net", UNKNOWN_CA)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    return Meter(monkeypatch)


def meeting_with_insider() -> tuple[Meeting, Room, Room, Insider]:
    """A host, two members, and an insider whom nobody expects to send beacons."""
    meeting = Meeting.invite(("a.example.com", "b.example.com", "late.example.com"))
    host, a, b = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
    meeting.service.run(3)
    insider = Insider.admit(meeting).join()
    meeting.service.run(2)
    agree(host, a, b)
    return meeting, host, a, insider


def flood(meeting: Meeting, said: Iterator[bytes], *, seconds: float = 1.0) -> int:
    """Deliver lobby messages to everybody, spread over the time. How many there were."""
    step, messages = 0.1, list(said)
    slices = round(seconds / step)
    for i in range(slices):
        for data in messages[i::slices]:
            for room in list(meeting.service.rooms):
                meeting.service.deliver(room, Lobby(data))
        meeting.service.run(step)
    return len(messages)


def joins_afterwards(meeting: Meeting, *rooms: Room) -> Room:
    """An honest room comes in, and everybody has media keys for it."""
    late = meeting.room(LATE)
    meeting.service.run(4)
    agree(*rooms, late)
    assert all(room.may_send() for room in (*rooms, late))
    return late


def spy(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[tuple[Any, ...]]:
    """The arguments of every call of a function from now on."""
    calls: list[tuple[Any, ...]] = []
    inner = getattr(owner, name)

    def spied(*args: Any) -> Any:
        calls.append(args)
        return inner(*args)

    monkeypatch.setattr(owner, name, spied)
    return calls


# -- ten thousand in a second -----------------------------------------------------------------------


def junk(_meeting: Meeting) -> Iterator[bytes]:
    """Not sealed at all."""
    return (os.urandom(300) for _ in range(10_000))


def sealed_junk(meeting: Meeting) -> Iterator[bytes]:
    """Sealed, and no message inside."""
    sealer = meeting.link.sealer()
    return (sealer.seal(os.urandom(200), lobby.PURPOSE, os.urandom(NONCE_BYTES)) for _ in range(10_000))


def fresh_requests(meeting: Meeting) -> Iterator[bytes]:
    """Well-formed requests, each by a key of its own and under another's certificate."""
    sealer, meeting_id = meeting.link.sealer(), meeting.invitation.content.meeting_id
    for _ in range(10_000):
        signer = SoftwareSigner.generate()
        request = lobby.request(signer, STRANGER.chain, meeting_id, os.urandom(16))
        yield lobby.seal(request, sealer, os.urandom(NONCE_BYTES))


def forged_requests(meeting: Meeting) -> Iterator[bytes]:
    """Requests whose signature is another's."""
    sealer, meeting_id = meeting.link.sealer(), meeting.invitation.content.meeting_id
    request = lobby.request(STRANGER.signer, STRANGER.chain, meeting_id, os.urandom(16))
    for _ in range(10_000):
        forged = replace(request, request_id=os.urandom(16))
        yield lobby.seal(forged, sealer, os.urandom(NONCE_BYTES))


@pytest.mark.parametrize("kind", [junk, sealed_junk, fresh_requests, forged_requests])
def test_ten_thousand_in_a_second_cost_a_host_little_and_stop_nobody(
    kind: Callable[[Meeting], Iterator[bytes]], meter: Meter
) -> None:
    meeting, host, a, _ = meeting_with_insider()
    said = list(kind(meeting))
    meter.clear()
    quiet = quiet_costs(meeting, meter, host, a, seconds=1)
    keys = len(a.keys)
    flood(meeting, iter(said))
    most = (1 + BURST_S) * DEFAULT_LIMITS.requests_per_s * 2
    assert meter.of(host) - quiet[0] <= most
    assert meter.of(a) - quiet[1] <= 5
    assert len(host.view.lobby) <= DEFAULT_LIMITS.waiting
    assert host.may_send()
    assert a.may_send()
    assert len(a.keys) == keys
    agree(host, a)
    meeting.service.run(3)
    joins_afterwards(meeting, host, a)


def quiet_costs(meeting: Meeting, meter: Meter, *rooms: Room, seconds: float) -> list[int]:
    """What rooms spend in that time when nobody does anything to them; counts anew afterwards."""
    meter.clear()
    meeting.service.run(seconds)
    spent = [meter.of(room) for room in rooms]
    meter.clear()
    return spent


def test_no_lobby_message_is_opened_beyond_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting, host, a, _ = meeting_with_insider()
    said, opened = list(islice(fresh_requests(meeting), 3000)), spy(monkeypatch, lobby, "unseal")
    flood(meeting, iter(said))
    by_rooms = len(opened) - len(said)  # The insider opens them all.
    assert by_rooms <= 3 * (1 + BURST_S) * DEFAULT_LIMITS.lobby_per_s
    agree(host, a)


# -- a member without end ---------------------------------------------------------------------------


def test_a_member_that_proposes_without_end_is_kicked_and_the_others_go_on() -> None:
    meeting, host, a, insider = meeting_with_insider()
    for _ in range(1500):
        insider.propose(Remove(insider.leaf), os.urandom(4))
    host.kick("insider.example.com")
    for _ in range(100):
        meeting.service.run(0.1)
        assert host.may_send()
        assert a.may_send()
    assert "insider.example.com" not in host.names()
    agree(host, a)
    joins_afterwards(meeting, host, a)


def test_a_log_that_is_flooded_is_read_at_a_pace_and_loses_nothing() -> None:
    meeting, host, a, insider = meeting_with_insider()
    before = len(meeting.service.log)
    for _ in range(BURST_S * DEFAULT_LIMITS.entries_per_s + 200):
        insider.publish(b"junk")
    meeting.service.settle()
    assert host.session._log.next_sequence - before <= BURST_S * DEFAULT_LIMITS.entries_per_s + 1
    deadline = host.session.next_deadline(meeting.service.clock.now)
    assert deadline - meeting.service.clock.now < 0.11
    meeting.service.run(1)
    assert host.session._log.next_sequence == len(meeting.service.log)
    joins_afterwards(meeting, host, a)


def test_a_member_that_sends_live_messages_without_end_stops_nobodys_beacons() -> None:
    meeting, host, a, insider = meeting_with_insider()
    for _ in range(80):
        for _ in range(15):
            insider.live_message(insider.live.protect(insider.live.sign_application(b"\x09")))
        meeting.service.run(0.1)
        assert host.may_send()
        assert a.may_send()
    agree(host, a)


# -- giants -----------------------------------------------------------------------------------------


def test_a_lobby_message_that_is_too_long_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting, host, a, insider = meeting_with_insider()
    opened = spy(monkeypatch, lobby, "unseal")
    waiting = meeting.room(LATE, connect=False, admission=meeting.admission(LATE))
    meeting.service.filter = lambda room, event: [] if room is waiting and is_welcome(event) else [event]
    meeting.service.connect(waiting)
    meeting.service.run(1)
    opened.clear()
    insider.say(lobby.WelcomeMessage(3, bytes(DEFAULT_LIMITS.welcome_bytes + 1)))
    insider.say(lobby.WelcomeMessage(3, bytes(300_000)))
    meeting.service.settle()
    # The one who waits for a Welcome opens the smaller one; those who are in open neither.
    assert [len(data) for data, _ in opened if 200_000 < len(data) < 400_000] == [len(opened[-1][0])]
    meeting.service.filter = lambda room, event: [event]
    meeting.service.run(4)
    agree(host, a, waiting)


def is_welcome(event: object) -> bool:
    return isinstance(event, Lobby) and 5_000 < len(event.data) < 200_000


def far_meeting() -> tuple[Meeting, Room, Room, Insider, Room]:
    """An honest meeting, and elsewhere a room that has only the insider to talk to."""
    meeting = Meeting.invite(("a.example.com", "late.example.com"))
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(3)
    far = SimulatedService(meeting.service.clock)
    insider = Insider.admit(meeting, Role.HOST, service=far).found(MeetingContext(meeting.invitation))
    room = meeting.room(LATE, service=far, admission=meeting.admission(LATE))
    far.run(0.5)
    assert room.view.state is State.OFFERING
    return meeting, host, a, insider, room


def comes_home(meeting: Meeting, room: Room, *rooms: Room) -> None:
    """The one that was elsewhere joins the honest meeting."""
    room.service.disconnect(room)
    room.service.settle()
    room.service = meeting.service
    meeting.service.connect(room)
    meeting.service.run(5)
    agree(*rooms, room)


def test_a_welcome_into_a_tree_of_a_million_leaves_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting, host, a, insider, room = far_meeting()
    encode = RatchetTree.encode

    def giant(tree: RatchetTree) -> bytes:
        leaf = b"\x01\x01" + next(leaf for _, leaf in tree.leaves()).encode()
        return vector([b"\x00" * 2_000_000, leaf])

    monkeypatch.setattr(RatchetTree, "encode", giant)
    insider.welcome()
    monkeypatch.setattr(RatchetTree, "encode", encode)
    assert not room.is_in()
    assert "more than 8192 leaves" in str(room.bad_inputs[-1])
    comes_home(meeting, room, host, a)


# -- what one can make another spend ----------------------------------------------------------------

Attack = Callable[[Meeting, Insider, Meter], int]
"""Does its worst for some seconds; returns in how many messages. What it has prepared is not counted."""


def asks(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """Requests without end, each under a new id."""
    meeting_id = meeting.invitation.content.meeting_id
    for _ in range(400):
        insider.say(lobby.request(insider.who.signer, insider.who.chain, meeting_id, os.urandom(16)))
    return 400


def asks_falsely(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """Requests whose signature is another's."""
    said = list(islice(forged_requests(meeting), 1000))
    meter.clear()
    return flood(meeting, iter(said))


def offers(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """KeyPackages without end."""
    for _ in range(200):
        insider.say(lobby.Offer(bundle_of(insider.who, insider.admission).key_package.encode()))
    return 200


def offers_falsely(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """KeyPackages that it did not sign, by admissions that nobody gave."""
    key_package = bundle_of(insider.who, insider.admission).key_package
    meter.clear()
    for i in range(1000):
        own = replace(insider.admission, signature=os.urandom(8)) if i % 2 else insider.admission
        leaf = key_package.leaf_node
        extensions = tuple(
            replace(e, data=own.encode()) if e.extension_type == ADMISSION_EXTENSION else e
            for e in leaf.extensions
        )
        leaf = replace(leaf, signature=os.urandom(70), extensions=extensions)
        insider.say(lobby.Offer(replace(key_package, leaf_node=leaf).encode()))
    return 1000


def offers_again(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """The offer that it came in by, again and again."""
    assert insider.bundle is not None
    for _ in range(1000):
        insider.say(lobby.Offer(insider.bundle.key_package.encode()))
    return 1000


def appoints(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """Appointments of the victim as a host, signed by none."""
    key, meeting_id = A.signer.public_key, meeting.invitation.content.meeting_id
    true = issue(insider.who.signer, meeting_id, key, Role.HOST, issuer_admission=insider.admission)
    for _ in range(1000):
        bad = replace(true, signature=os.urandom(70))
        insider.say(lobby.Appointment(bad, insider.live.group_id, os.urandom(70)))
    return 1000


def proposes(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """Proposals without end."""
    for _ in range(400):
        insider.propose(Remove(insider.leaf), os.urandom(4))
    return 400


def updates(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """Updates without end, of which the last spoils every commit."""
    other = next(m.leaf_node for m in insider.live.members if m.leaf_index != insider.leaf)
    for _ in range(100):
        good = insider.live.update_proposal()
        data = insider.live.protect(good)
        insider.own[data] = good
        insider.publish(data)
    assert isinstance(good.body, Update)
    insider.propose(Update(replace(good.body.leaf_node, encryption_key=other.encryption_key)))
    return 101


def proposes_falsely(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """Proposals in another's name, which it cannot sign."""
    live = insider.live
    good = live.sign_proposal(Remove(insider.leaf), LEAVE)
    for _ in range(400):
        framed = FramedContent(
            live.group_id,
            live.epoch,
            Sender(SenderType.MEMBER, insider.leaf),
            os.urandom(4),
            good.content.body,
        )
        insider.publish(
            live.protect(AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, framed, good.signature, None))
        )
    return 400


def commits(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """Commits that change nothing, each after the other."""
    for _ in range(40):
        insider.commit(enters=True)
        meeting.service.settle()
    return 40


def signed_again(insider: Insider, commit: AuthenticatedContent) -> bytes:
    """The same commit once more, for one signature; its confirmation tag is not for this one."""
    content = replace(commit.content, authenticated_data=os.urandom(4))
    context, crypto = insider.live.group_context.encode(), crypto_for(SUITE)
    signature = sign_content(crypto, insider.who.signer, WireFormat.PRIVATE_MESSAGE, content, context)
    again = AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, content, signature, os.urandom(32))
    return insider.live.protect(again)


def commits_badly(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """The same bad commit, signed again and again."""
    commit = insider.make_commit().content
    meter.clear()
    for _ in range(100):
        insider.publish(signed_again(insider, commit))
    return 100


def commits_with_many(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """The same with eighty people whom nobody admitted."""
    people = [identity(f"{i}.example.net") for i in range(80)]
    adds = [
        insider.add(who, replace(insider.admission, signature_key=who.signer.public_key)) for who in people
    ]
    commit = insider.make_commit(adds).content
    meter.clear()
    for _ in range(30):
        insider.publish(signed_again(insider, commit))
        meeting.service.settle()
    return 30


def commits_proposed_adds(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """The same with forty Adds that it has proposed once."""
    people = [identity(f"{i}.example.net") for i in range(40)]
    adds = [
        insider.add(who, replace(insider.admission, signature_key=who.signer.public_key)) for who in people
    ]
    proposed = [insider.propose(add) for add in adds]
    meeting.service.settle()
    commit = insider.make_commit(by_reference=proposed).content
    meter.clear()
    for _ in range(30):
        insider.publish(signed_again(insider, commit))
        meeting.service.settle()
    return 30


def sends_live(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """Application messages without end."""
    for _ in range(400):
        insider.live_message(insider.live.protect(insider.live.sign_application(b"\x09")))
    return 400


def sends_live_falsely(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """Application messages that it has not signed."""
    good = insider.live.sign_application(b"\x09")
    for _ in range(600):
        bad = AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, good.content, os.urandom(70), None)
        insider.live_message(insider.live.protect(bad))
    return 600


def leaves_and_comes_back(meeting: Meeting, insider: Insider, meter: Meter) -> int:
    """Out and in again, as often as it is let."""
    for _ in range(5):
        if insider.group is not None:
            insider.propose(Remove(insider.leaf), LEAVE)
            insider.group = None
            meeting.service.run(0.5)
        insider.offer()
        meeting.service.run(0.5)
    return 10


ATTACKS: list[Attack] = [
    asks,
    asks_falsely,
    offers,
    offers_falsely,
    offers_again,
    appoints,
    proposes,
    proposes_falsely,
    updates,
    commits,
    commits_badly,
    commits_with_many,
    commits_proposed_adds,
    sends_live,
    sends_live_falsely,
    leaves_and_comes_back,
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_member_makes_another_spend_ten_times_what_it_spends_itself(attack: Attack, meter: Meter) -> None:
    meeting, host, a, insider = meeting_with_insider()
    seconds = 6.0
    quiet = quiet_costs(meeting, meter, host, a, seconds=seconds)
    begun = meeting.service.clock.now
    messages = attack(meeting, insider, meter)
    meeting.service.settle()
    meeting.service.run(max(0.0, begun + seconds - meeting.service.clock.now))
    own = meter.of_attacker + MESSAGE * messages
    spent = [meter.of(room) - cost for room, cost in zip((host, a), quiet, strict=True)]
    print(f"{attack.__name__:24} itself {own:6.1f}, the host {spent[0]:5}, a member {spent[1]:5}")
    assert max(spent) < 10 * own, meter.kinds
    assert len({bytes(room.keys[-1].base_key) for room in (host, a)}) == 1
    assert host.may_send()
    assert a.may_send()
    joins_afterwards(meeting, host, a)


def test_welcomes_without_end_cost_a_joiner_a_few_looks_at_the_whole_group(
    monkeypatch: pytest.MonkeyPatch, meter: Meter
) -> None:
    meeting, host, a, insider, room = far_meeting()
    for i in range(40):
        who = identity(f"{i}.example.net")
        insider.commit([insider.add(who, meeting.admission(who))], enters=True)
        insider.service.settle()
    sealed = spy(monkeypatch, commit_creation, "seal_welcome")
    insider.make_commit([Add(offer) for offer in insider.offers])
    ((crypto, info, secret, joiners),) = sealed
    meter.clear()
    count = 60
    for _ in range(count):
        other = replace(info, confirmation_tag=os.urandom(32)).sign(crypto, insider.who.signer)
        welcome = MlsMessage(seal_welcome(crypto, other, secret, joiners)).encode()
        insider.say(lobby.WelcomeMessage(len(insider.service.log), welcome))
        insider.service.settle()
    spent, own = meter.of(room), meter.of_attacker + MESSAGE * count
    print(f"{'welcomes':24} itself {own:6.1f}, the joiner {spent:5}")
    assert spent < 10 * own
    assert spent < (MOST_EXAMINED + 1) * 45 + 3 * (2 * BURST_S * DEFAULT_LIMITS.welcomes_per_s)
    comes_home(meeting, room, host, a)


def test_a_welcome_that_led_nowhere_is_not_looked_at_again(meter: Meter) -> None:
    meeting, host, a, insider, room = far_meeting()
    pending = insider.commit([Add(offer) for offer in insider.offers], enters=True)
    assert pending.welcome is not None
    bad = lobby.WelcomeMessage(len(insider.service.log), pending.welcome[:-1] + b"x")
    insider.say(bad)
    insider.service.settle()
    assert room.bad_inputs
    meter.clear()
    for _ in range(50):
        insider.say(bad)
    insider.service.settle()
    assert meter.of(room) == 0
    comes_home(meeting, room, host, a)
