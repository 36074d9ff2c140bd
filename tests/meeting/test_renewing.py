"""A room whose own certificate, and perhaps key, changes while it is in a meeting, or on its way in."""

from typing import Any

import pytest

from conclaved.identity import Assurance, SoftwareSigner
from conclaved.meeting import Level, OwnIdentity, Role, State, lobby
from conclaved.meeting.admission import ADMISSION_EXTENSION, MAX_SUCCESSIONS, IssuerType, check, succeed
from conclaved.meeting.alive import LOST_S
from conclaved.meeting.events import CarrierEvent, Entry, Lobby, Publish
from conclaved.meeting.renewing import KNOCK_S
from conclaved.mls import Extension, LeafChange, X509Credential
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import (
    PROVIDER_CA,
    PUBLIC_CA,
    WALL,
    Client,
    Meeting,
    Room,
    agree,
    identity,
)
from tests.pki import TestAuthority

A = "a.example.com"
INVITED = (A, "b.example.com", "late.example.com")
KINDS = pytest.mark.parametrize("is_new_key", [False, True], ids=["certificate", "key"])


def renewed(who: OwnIdentity, *, name: str, is_new_key: bool, ca: TestAuthority = PUBLIC_CA) -> OwnIdentity:
    signer = SoftwareSigner.generate() if is_new_key else who.signer
    key = signer.certificate_public_key
    chain = ca.issue(key, dns=[name], not_before=WALL - 30, not_after=WALL + 80 * 86400)
    return OwnIdentity(signer, tuple(chain))


def change(room: Room, identity: OwnIdentity) -> None:
    room.perform(room.session.identity_changed(identity, room.service.clock.now))


def three(level: Level = Level.STANDARD) -> tuple[Meeting, Room, Room, Room, OwnIdentity]:
    meeting = Meeting.invite(INVITED, level=level)
    who = identity(A)
    host, a, b = meeting.room(meeting.host), meeting.room(who), meeting.room(identity("b.example.com"))
    meeting.service.run(3)
    agree(host, a, b)
    return meeting, host, a, b, who


def take(insider: Insider, new: OwnIdentity) -> None:
    """The insider changes its leaf, by the statement of its old key where that takes one."""
    if new.key != insider.who.key:
        insider.admission = succeed(insider.who.signer, insider.admission, new.key)
    extension = Extension(ADMISSION_EXTENSION, insider.admission.encode())
    change = LeafChange(new.signer, X509Credential(new.chain), (extension,))
    insider.who = new
    insider.commit(leaf=change, enters=True)
    insider.service.settle()


def is_shown(new: OwnIdentity, *rooms: Room) -> bool:
    """Whether these rooms have that very certificate, and key, in their tree."""
    trees = [room.session._member.leaves().values() for room in rooms]
    return all(
        any((leaf.signature_key, leaf.credential.certificates) == (new.key, new.chain) for leaf in tree)  # type: ignore[union-attr]
        for tree in trees
    )


@KINDS
@pytest.mark.parametrize("level", list(Level))
def test_a_member_stays_verified_under_its_name(is_new_key: bool, level: Level) -> None:
    meeting, host, a, b, who = three(level)
    code = a.view.security_code
    new = renewed(who, name=A, is_new_key=is_new_key)
    change(a, new)
    meeting.service.run(4)
    agree(host, a, b)
    assert is_shown(new, host, a, b)
    words = f"{A} renewed its certificate" + (" and key" if is_new_key else "")
    for room in (host, a, b):
        assert room.view.code_reason == words
        assert room.view.security_code != code
        assert all(p.assurance is Assurance.VERIFIED for p in room.view.participants)
    meeting.service.run(10)
    agree(host, a, b)


@KINDS
def test_a_host_stays_a_host_and_admits_with_its_new_key(is_new_key: bool) -> None:
    meeting, host, a, b, _ = three()
    new = renewed(meeting.host, name="host.example.com", is_new_key=is_new_key)
    change(host, new)
    meeting.service.run(4)
    assert is_shown(new, host, a, b)
    assert host.view.is_host
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    late = meeting.room(identity("late.example.com"))
    meeting.service.run(5)
    host.admit("guest.provider.example")
    meeting.service.run(4)
    agree(host, a, b, guest, late)
    host.kick("guest.provider.example")
    meeting.service.run(2)
    agree(host, a, b, late)


def test_the_admission_is_the_new_keys_as_soon_as_the_old_one_has_signed() -> None:
    meeting, _, a, _, who = three()
    meeting.service.upstream = lambda client, effect: False
    new = renewed(who, name=A, is_new_key=True)
    before = a.changes
    change(a, new)
    meeting.service.settle()
    admission = a.session.admission
    assert admission is not None
    assert admission.issuer_type is IssuerType.SUCCESSION
    check(admission, new.key, meeting.invitation)
    assert a.changes > before


def test_a_room_that_was_killed_in_between_comes_back_with_its_new_key_without_the_lobby() -> None:
    meeting, host, a, b, who = three()
    new = renewed(who, name=A, is_new_key=True)
    meeting.service.upstream = lambda client, effect: client is not a
    change(a, new)
    meeting.service.settle()
    admission = a.session.admission
    meeting.service.crash(a)
    meeting.service.upstream = lambda client, effect: True
    back = meeting.room(new, admission=admission)
    meeting.service.run(3)
    agree(host, back, b)
    assert host.view.lobby == ()
    assert is_shown(new, host, back, b)
    assert not is_shown(who, host)


@KINDS
@pytest.mark.parametrize("is_appointed_first", [False, True])
def test_who_becomes_a_host_and_renews_at_once_does_both(is_new_key: bool, is_appointed_first: bool) -> None:
    meeting, host, a, b, who = three()
    new = renewed(who, name=A, is_new_key=is_new_key)
    if not is_appointed_first:
        change(a, new)
        meeting.service.settle()
    host.perform(host.session.hand_over(host.leaf(A), meeting.service.clock.now))
    if is_appointed_first:
        change(a, new)
    meeting.service.run(8)
    agree(host, a, b)
    assert is_shown(new, host, a, b)
    assert a.view.is_host


@pytest.mark.parametrize("level", list(Level))
def test_the_meetings_host_comes_back_as_one_though_it_was_cleared_away_under_its_new_key(
    level: Level,
) -> None:
    meeting, host, a, b, _ = three(level)
    new = renewed(meeting.host, name="host.example.com", is_new_key=True)
    change(host, new)
    meeting.service.run(3)
    admission = host.session.admission
    meeting.service.crash(host)
    meeting.service.run(30)
    assert "host.example.com" not in a.names()
    back = meeting.room(new, admission=admission)
    meeting.service.run(4)
    agree(back, a, b)
    assert back.view.is_host


@KINDS
def test_a_change_that_loses_every_race_comes_in_all_the_same(is_new_key: bool) -> None:
    meeting, host, a, b, who = three()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    new = renewed(who, name=A, is_new_key=is_new_key)
    change(a, new)
    for _ in range(3):
        meeting.service.settle()
        insider.commit(enters=True)
    meeting.service.run(4)
    agree(host, a, b)
    assert is_shown(new, host, a, b)


@KINDS
def test_a_slow_key_store_holds_up_nobody(is_new_key: bool) -> None:
    meeting, host, a, b, who = three()
    new = renewed(who, name=A, is_new_key=is_new_key)
    a.holds_jobs = True
    change(a, new)
    for _ in range(20):
        meeting.service.run(0.6)
        a.work()
    a.holds_jobs = False
    a.work()
    meeting.service.run(1)
    agree(host, a, b)
    assert is_shown(new, host, a, b)


def test_of_several_changes_the_newest_comes_in() -> None:
    meeting, host, a, b, who = three()
    first, second = (renewed(who, name=A, is_new_key=True) for _ in range(2))
    change(a, first)
    change(a, second)
    meeting.service.run(4)
    agree(host, a, b)
    assert is_shown(second, host, a, b)


def test_a_change_during_a_change_comes_in_after_it() -> None:
    meeting, host, a, b, who = three()
    first, second = (renewed(who, name=A, is_new_key=True) for _ in range(2))
    change(a, first)
    meeting.service.settle()
    a.tick(meeting.service.clock.now)
    meeting.service.settle()
    change(a, second)
    meeting.service.run(8)
    agree(host, a, b)
    assert is_shown(second, host, a, b)


def test_the_first_certificate_again_is_no_change() -> None:
    meeting, host, a, b, who = three()
    epoch = a.view.epoch
    change(a, OwnIdentity(who.signer, who.chain))
    meeting.service.run(4)
    agree(host, a, b)
    assert a.view.epoch == epoch


@KINDS
@pytest.mark.parametrize(
    ("name", "ca"), [("other.example.com", PUBLIC_CA), (A, PROVIDER_CA)], ids=["name", "weaker"]
)
def test_what_others_would_not_believe_is_left_for_the_next_meeting(
    is_new_key: bool, name: str, ca: TestAuthority
) -> None:
    meeting, host, a, b, who = three(Level.LOCKED)
    epoch = a.view.epoch
    change(a, renewed(who, name=name, is_new_key=is_new_key, ca=ca))
    meeting.service.run(4)
    agree(host, a, b)
    assert a.view.epoch == epoch
    assert any("not used in this meeting" in news for news in a.view.news)


def test_a_key_that_changes_too_often_stays_the_last_that_may() -> None:
    meeting, host, a, b, who = three()
    for _ in range(MAX_SUCCESSIONS):
        last = renewed(who, name=A, is_new_key=True)
        change(a, last)
        meeting.service.run(2)
    change(a, renewed(who, name=A, is_new_key=True))
    meeting.service.run(2)
    agree(host, a, b)
    assert is_shown(last, host, a, b)
    assert any("too often" in news for news in a.view.news)


@KINDS
def test_who_still_waits_in_the_lobby_waits_with_the_new_one(is_new_key: bool) -> None:
    meeting, host, a, b, _ = three()
    name = "guest.provider.example"
    who = identity(name, PROVIDER_CA)
    guest = meeting.room(who)
    meeting.service.run(3)
    new = renewed(who, name=name, is_new_key=is_new_key, ca=PROVIDER_CA)
    change(guest, new)
    meeting.service.run(17)
    host.admit(name)
    meeting.service.run(4)
    agree(host, a, b, guest)
    assert is_shown(new, host, guest)


@KINDS
def test_who_has_not_reached_the_service_yet_comes_with_the_new_one(is_new_key: bool) -> None:
    meeting, host, a, b, _ = three()
    who = identity("late.example.com")
    late = meeting.room(who, connect=False)
    new = renewed(who, name="late.example.com", is_new_key=is_new_key)
    change(late, new)
    meeting.service.connect(late)
    meeting.service.run(4)
    agree(host, a, b, late)
    assert is_shown(new, host, late)


@KINDS
def test_the_invitations_signer_founds_with_the_key_that_signed_it_and_changes_it_then(
    is_new_key: bool,
) -> None:
    meeting = Meeting.invite(INVITED)
    host = meeting.room(meeting.host, connect=False)
    new = renewed(meeting.host, name="host.example.com", is_new_key=is_new_key)
    change(host, new)
    meeting.service.connect(host)
    a = meeting.room(identity(A))
    meeting.service.run(5)
    agree(host, a)
    assert host.view.is_host
    assert is_shown(new, host, a)


@KINDS
def test_who_waits_for_a_welcome_is_in_with_the_new_one_in_the_end(is_new_key: bool) -> None:
    meeting, host, a, b, _ = three()
    who = identity("late.example.com")
    late = meeting.room(who, admission=meeting.admission(who), connect=False)
    meeting.service.filter = lambda room, event: [] if room is late and isinstance(event, Lobby) else [event]
    meeting.service.connect(late)
    meeting.service.settle()
    assert late.view.state is State.OFFERING
    new = renewed(who, name="late.example.com", is_new_key=is_new_key)
    change(late, new)
    meeting.service.filter = lambda room, event: [event]
    meeting.service.run(8)
    agree(host, a, b, late)
    assert is_shown(new, host, late)


def test_who_does_not_know_that_its_new_key_is_in_comes_back_all_the_same() -> None:
    meeting, host, a, b, who = three()
    new = renewed(who, name=A, is_new_key=True)
    service = meeting.service
    service.filter = lambda room, event: [] if room is a and isinstance(event, Entry) else [event]
    change(a, new)
    service.run(4)
    assert is_shown(new, host, b)
    assert not is_shown(new, a)
    service.run(LOST_S)
    assert a.view.state is State.OFFERING
    service.filter = lambda room, event: [event]
    service.run(2 * KNOCK_S)
    agree(host, a, b)
    assert is_shown(new, host, a, b)


def test_who_came_back_under_the_old_key_takes_the_new_one_again() -> None:
    meeting, host, a, b, who = three()
    new = renewed(who, name=A, is_new_key=True)
    change(a, new)
    meeting.service.run(3)
    assert is_shown(new, host, a, b)
    # Neither key has a place any more: a succession alone lets nobody in.
    meeting.service.filter = lambda room, event: [] if room is a else [event]
    meeting.service.upstream = lambda client, effect: client is not a
    meeting.service.run(30)
    assert A not in host.names()
    meeting.service.filter = lambda room, event: [event]
    meeting.service.upstream = lambda client, effect: True
    meeting.service.run(40)
    agree(host, a, b)
    assert is_shown(new, host, a, b)


def test_who_is_admitted_anew_while_its_old_leaf_is_in_comes_back_in_its_place() -> None:
    meeting, host, a, b, _ = three()
    # The fourth sends no sign of life, so nobody ever takes it for gone.
    late = meeting.room(identity("late.example.com"))
    meeting.service.run(2)
    new = renewed(late.session._own.identity, name="late.example.com", is_new_key=True)
    change(late, new)
    meeting.service.run(3)
    admission = late.session.admission
    assert admission is not None
    meeting.service.crash(late)

    def without_offers(room: Client, event: CarrierEvent) -> list[CarrierEvent]:
        is_offer = isinstance(event, Lobby) and isinstance(
            lobby.unseal(event.data, meeting.link.sealer()), lobby.Offer
        )
        return [] if is_offer else [event]

    meeting.service.filter = without_offers
    back = meeting.room(new, admission=admission)
    meeting.service.run(8)
    # A host has answered the request that goes with an offer that nobody takes.
    assert back.session.admission != admission
    meeting.service.filter = lambda room, event: [event]
    meeting.service.run(4 * KNOCK_S)
    agree(host, a, b, back)
    assert is_shown(new, host, back, b)


def test_a_new_key_does_not_shake_off_a_doubt_about_the_name() -> None:
    meeting, host, a, b, _ = three()
    insider = Insider.admit(meeting, Role.MEMBER).join()
    other = "ceo.example.com"
    change_of_name = renewed(insider.who, name=other, is_new_key=False)
    take(insider, change_of_name)
    take(insider, renewed(change_of_name, name=other, is_new_key=True))
    meeting.service.settle()
    for room in (host, a, b):
        shown = next(p for p in room.view.participants if p.name == other)
        assert shown.assurance is Assurance.UNKNOWN
        assert "insider.example.com" in shown.reason


def test_a_service_ends_media_is_opened_by_nobody() -> None:
    recorder = identity("recorder.example.com")
    meeting = Meeting.invite((A,), service_ends=("recorder.example.com",))
    host, a = meeting.room(meeting.host), meeting.room(identity(A))
    meeting.service.run(2)
    Insider.admit(meeting, Role.SERVICE_END, who=recorder).join()
    leaf = host.leaf("recorder.example.com")
    for room in (host, a):
        assert leaf not in room.keys[-1].members
        assert room.keys[-1].members == {0, 1}


def test_published_changes_are_not_repeated_without_end() -> None:
    meeting, _, a, _, who = three()
    change(a, renewed(who, name=A, is_new_key=True))
    meeting.service.run(4)
    sent = len([effect for effect in meeting.service.sent if isinstance(effect, Publish)])
    meeting.service.run(20)
    assert len([effect for effect in meeting.service.sent if isinstance(effect, Publish)]) == sent


def test_a_host_whose_old_key_is_not_in_any_more_comes_back_by_another_host() -> None:
    """Its succession lets nobody in, and it must not wait for that until the meeting is over."""
    co_host = "co-host.example.com"
    meeting = Meeting.invite(INVITED, hosts=(co_host,))
    who = identity(co_host)
    host, other, a = meeting.room(meeting.host), meeting.room(who), meeting.room(identity(A))
    meeting.service.run(3)
    agree(host, other, a)
    new = renewed(who, name=co_host, is_new_key=True)
    change(other, new)
    meeting.service.run(3)
    admission = other.session.admission
    assert admission is not None
    assert admission.issuer_type is IssuerType.SUCCESSION
    other.leave()
    meeting.service.run(3)
    back = meeting.room(new, admission=admission)
    meeting.service.run(40)
    agree(host, back, a)
    assert back.view.is_host


@pytest.mark.parametrize("terms", [{"level": Level.LOCKED}, {"is_open": True}], ids=["locked", "open"])
def test_one_whose_certificate_ended_while_it_was_outside_comes_with_its_new_key(
    terms: dict[str, Any],
) -> None:
    meeting = Meeting.invite(INVITED, **terms)
    service = meeting.service
    signer = SoftwareSigner.generate()
    chain = PUBLIC_CA.issue(signer.certificate_public_key, dns=[A], not_before=WALL - 60, not_after=WALL + 30)
    who = OwnIdentity(signer, tuple(chain))
    host, a, b = meeting.room(meeting.host), meeting.room(who), meeting.room(identity("b.example.com"))
    service.run(3)
    agree(host, a, b)
    service.filter = lambda room, event: [] if room is a else [event]
    service.upstream = lambda client, effect: client is not a
    service.run(40)
    assert A not in host.names()
    new = renewed(who, name=A, is_new_key=True)
    change(a, new)
    service.filter = lambda room, event: [event]
    service.upstream = lambda client, effect: True
    service.run(60)
    agree(host, a, b)
    assert is_shown(new, host, a, b)


def test_an_offer_that_was_withdrawn_before_it_was_signed_is_not_made() -> None:
    meeting = Meeting.invite(INVITED)
    host, room = meeting.room(meeting.host), meeting.room(identity(A), connect=False)
    meeting.service.run(1)
    room.holds_jobs = True
    room.session._own.take_admission(meeting.admission(room.session._own.identity))
    meeting.service.connect(room)
    meeting.service.settle()
    assert room.view.state is State.OFFERING
    assert room.jobs
    room.session._joining.close()
    room.session._own.admission = None
    room.work()
    meeting.service.run(40)
    assert host.names() == {"host.example.com"}
