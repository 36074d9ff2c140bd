"""Members, guests and outsiders that keep to no rule, and a service that sides with them."""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from conclaved.identity import Assurance
from conclaved.meeting import (
    AdmissionError,
    GroupRuleError,
    Level,
    LocalError,
    OwnIdentity,
    RemoteError,
    Role,
    SignedInvitation,
    State,
    lobby,
)
from conclaved.meeting.admission import issue
from conclaved.meeting.events import Lobby
from conclaved.meeting.limits import DEFAULT_LIMITS
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.mls import Add, KeyPackage, Remove
from tests.meeting.cast import bundle_of
from tests.meeting.insider import KICK, LEAVE, VANISHED, Insider
from tests.meeting.simulated_service import (
    PROVIDER_CA,
    UNKNOWN_CA,
    WALL,
    Meeting,
    Room,
    SimulatedService,
    agree,
    identity,
    in_group,
)

A, B = identity("a.example.com"), identity("b.example.com")


def meeting_with(
    *who: object, role: Role = Role.MEMBER, **options: object
) -> tuple[Meeting, list[Room], Insider]:
    """The host's room, one for each of `who`, and an insider."""
    meeting = Meeting.invite(("a.example.com", "b.example.com", "late.example.com"), **options)  # type: ignore[arg-type]
    rooms = [meeting.room(meeting.host), *(meeting.room(each) for each in who)]  # type: ignore[arg-type]
    insider = Insider.admit(meeting, role).join()
    meeting.service.run(2)
    agree(*rooms)
    return meeting, rooms, insider


# -- a service in the middle, with a stolen link ---------------------------------------------------


def two_sides(*, level: Level = Level.STANDARD, is_open: bool) -> tuple[Meeting, SimulatedService]:
    meeting = Meeting.invite(("b.example.com",), level=level, is_open=is_open)
    return meeting, SimulatedService(meeting.service.clock)


def test_a_service_in_the_middle_of_an_open_meeting_shows_two_codes_and_is_not_verified() -> None:
    meeting, far = two_sides(is_open=True)
    host = meeting.room(meeting.host)
    false_b = identity("b.example.com", PROVIDER_CA)
    false_host = identity("host.example.com", PROVIDER_CA)
    Insider.admit(meeting, who=false_b, admission=meeting.link_admission(false_b)).join()
    middle = Insider.admit(
        meeting, who=false_host, admission=meeting.link_admission(false_host), service=far
    ).found(MeetingContext(meeting.invitation))
    b = meeting.room(B, service=far)
    far.run(1)
    middle.welcome()
    far.run(1)
    assert in_group(host, b)
    assert host.names() == b.names() == {"host.example.com", "b.example.com"}
    assert host.view.security_code != b.view.security_code
    assert "" not in (host.view.security_code, b.view.security_code)
    for room in (host, b):
        (other,) = (p for p in room.view.participants if not p.is_self)
        assert other.assurance is Assurance.PROVIDER
        assert other.role is Role.GUEST
        assert other.admitted_by == "the link"


def test_a_service_in_the_middle_does_not_get_into_a_locked_meeting() -> None:
    meeting, far = two_sides(level=Level.LOCKED, is_open=False)
    host = meeting.room(meeting.host)
    false_b = identity("b.example.com", PROVIDER_CA)
    middle = meeting.room(false_b)
    meeting.service.run(3)
    assert middle.view.state is State.ASKING
    assert [w.verdict.assurance for w in host.view.lobby] == [Assurance.PROVIDER]
    with pytest.raises(LocalError, match="locked"):
        host.admit("b.example.com")
    # On the other side it plays the host, and cannot let anybody in.
    false_host = identity("host.example.com", PROVIDER_CA)
    meeting_id = meeting.invitation.content.meeting_id
    own = issue(false_host.signer, meeting_id, false_host.signer.public_key, Role.HOST)
    played = Insider.admit(meeting, who=false_host, admission=own, service=far)
    played.found(MeetingContext(meeting.invitation))
    b = meeting.room(B, service=far)
    far.run(3)
    request = played.requests[-1]
    grant = issue(false_host.signer, meeting_id, B.signer.public_key, Role.MEMBER, issuer_admission=own)
    played.say(lobby.Grant(request.request_id, grant))
    far.run(1)
    assert b.view.state is State.ASKING
    assert isinstance(b.bad_inputs[-1], AdmissionError)
    played.say(lobby.deny(false_host.signer, own, meeting_id, request.request_id, request.signature_key))
    far.run(1)
    assert b.view.state is State.ASKING
    assert isinstance(b.bad_inputs[-1], RemoteError)


def test_a_real_grant_does_not_help_a_service_that_plays_the_group() -> None:
    meeting, far = two_sides(level=Level.LOCKED, is_open=False)
    b = meeting.room(B, service=far)
    false_host = identity("host.example.com", PROVIDER_CA)
    own = meeting.link_admission(false_host)
    played = Insider.admit(meeting, who=false_host, admission=own, service=far)
    played.found(MeetingContext(meeting.invitation))
    far.run(3)
    # The grant is by the real host, whom the service reaches too.
    played.say(lobby.Grant(played.requests[-1].request_id, meeting.admission(B)))
    far.run(1)
    assert b.view.state is State.OFFERING
    played.welcome()
    assert b.view.state is State.OFFERING
    assert isinstance(b.bad_inputs[-1], GroupRuleError)


def test_a_member_that_founds_a_locked_meeting_of_its_own_gets_nobody_into_it() -> None:
    # Its admission is real: it may have been thrown out of the real one, which newcomers cannot know.
    meeting, far = two_sides(level=Level.LOCKED, is_open=False)
    founder = Insider.admit(meeting, service=far).found(MeetingContext(meeting.invitation))
    b = meeting.room(B, admission=meeting.admission(B), service=far)
    far.run(1)
    founder.welcome()
    far.run(1)
    assert not b.is_in()
    assert not b.keys
    assert "no host" in b.view.waits_for


def test_nobody_takes_an_unverified_certificate_into_a_locked_meeting_for_an_admitted_key() -> None:
    # All would have to leave: one who was let in once could empty any locked meeting.
    meeting, (host, a), _ = meeting_with(A, level=Level.LOCKED)
    admitted = identity("b.example.com")
    chain = UNKNOWN_CA.issue(
        admitted.signer.certificate_public_key,
        dns=["b.example.com"],
        not_before=WALL - 60,
        not_after=WALL + 86400,
    )
    other = OwnIdentity(admitted.signer, tuple(chain))
    insider = Insider.admit(meeting, who=other, admission=meeting.admission(admitted))
    insider.offer()
    meeting.service.run(8)
    assert not insider.is_in()
    agree(host, a)
    assert any("unverified" in str(error) for error in host.bad_inputs)


def test_a_locked_room_leaves_when_a_host_lets_in_one_who_is_not_verified() -> None:
    meeting, (host, a), insider = meeting_with(A, level=Level.LOCKED, role=Role.HOST)
    guest = identity("guest.provider.example", PROVIDER_CA)
    insider.commit([insider.add(guest, meeting.admission(guest))], enters=True)
    meeting.service.settle()
    for room in (host, a):
        assert room.ended is not None
        assert room.ended.is_error
        assert "guest.provider.example" in room.ended.reason
        assert "not verified" in room.ended.reason
        assert room.ended.hint


def test_a_standard_room_stays_and_shows_one_who_is_not_verified() -> None:
    meeting, (host, a), insider = meeting_with(A, role=Role.HOST)
    guest = identity("guest.provider.example", PROVIDER_CA)
    insider.commit([insider.add(guest, meeting.admission(guest))], enters=True)
    meeting.service.settle()
    agree(host, a)
    shown = next(p for p in a.view.participants if p.name == "guest.provider.example")
    assert shown.assurance is Assurance.PROVIDER


def test_one_whom_nobody_vouches_for_cannot_be_admitted() -> None:
    meeting = Meeting.invite(("b.example.com",))
    host = meeting.room(meeting.host)
    stranger = meeting.room(identity("b.example.com", UNKNOWN_CA), store=None)
    meeting.service.run(3)
    assert stranger.view.state is State.ASKING
    assert [w.verdict.assurance for w in host.view.lobby] == [Assurance.UNKNOWN]
    with pytest.raises(LocalError, match="vouches"):
        host.admit("b.example.com")
    meeting.service.run(3)
    assert stranger.view.state is State.ASKING


def test_a_room_does_not_follow_an_invitation_by_one_whom_nobody_vouches_for() -> None:
    meeting = Meeting.invite((), host=identity("host.example.com", UNKNOWN_CA))
    with pytest.raises(RemoteError):
        meeting.room(A)


# -- Welcomes ---------------------------------------------------------------------------------------


def test_a_welcome_into_a_group_with_another_invitation_is_refused_and_the_right_one_taken() -> None:
    meeting = Meeting.invite(("a.example.com",))
    other = SignedInvitation.verify(
        replace(meeting.invitation.content, serial=2).sign(meeting.host.signer, meeting.host.chain)
    )
    far = SimulatedService(meeting.service.clock)
    elsewhere = Insider.admit(meeting, Role.HOST, service=far).found(MeetingContext(other))
    host = meeting.room(meeting.host)
    a = meeting.room(A)
    meeting.service.filter = lambda room, event: [event] if room is not a else []
    meeting.service.run(1)
    a.hear(Lobby(last_grant(meeting)))
    meeting.service.run(1)
    elsewhere.offers = offers_of(meeting)
    elsewhere.say = lambda message: a.hear(Lobby(seal(meeting, message)))  # type: ignore[method-assign]
    elsewhere.welcome()
    meeting.service.settle()
    assert a.view.state is State.OFFERING
    assert isinstance(a.bad_inputs[-1], GroupRuleError)
    meeting.service.filter = lambda room, event: [event]
    meeting.service.run(4)
    agree(host, a)


def seal(meeting: Meeting, message: lobby.LobbyMessage) -> bytes:
    return lobby.seal(message, meeting.link.sealer(), os.urandom(12))


def sealed(meeting: Meeting) -> list[lobby.LobbyMessage]:
    """Everything that was ever said in the lobby."""
    sent = [e.data for e in meeting.service.sent if type(e).__name__ == "SendLobby"]
    return [lobby.unseal(data, meeting.link.sealer()) for data in sent]


def offers_of(meeting: Meeting) -> list[KeyPackage]:
    return [KeyPackage.decode(m.key_package) for m in sealed(meeting) if isinstance(m, lobby.Offer)]


def last_grant(meeting: Meeting) -> bytes:
    grants = [m for m in sealed(meeting) if isinstance(m, lobby.Grant)]
    return seal(meeting, grants[-1])


def test_a_welcome_into_a_group_with_somebody_whom_nobody_admitted_is_refused() -> None:
    meeting = Meeting.invite(())
    insider = Insider.admit(meeting, Role.HOST).found(MeetingContext(meeting.invitation))
    stranger = identity("stranger.example.com")
    insider.commit([Add(bundle_of(stranger).key_package)], enters=True)
    meeting.service.settle()
    own = meeting.host
    host = meeting.room(own)
    meeting.service.run(1)
    insider.welcome()
    assert host.view.state is State.OFFERING
    assert isinstance(host.bad_inputs[-1], GroupRuleError)


def test_forged_welcomes_do_not_cost_a_joiner_its_place() -> None:
    meeting, rooms, insider = meeting_with(A)
    far = SimulatedService(meeting.service.clock)
    outside = identity("out.example.com", PROVIDER_CA)
    forger = Insider.admit(meeting, who=outside, admission=meeting.link_admission(outside), service=far)
    forger.found(MeetingContext(meeting.invitation))
    late = meeting.room(identity("late.example.com"))
    for _ in range(4):
        meeting.service.settle()
        forger.offers = list(insider.offers[-1:])
        if forger.offers:
            pending = forger.commit([Add(forger.offers[-1])], enters=False)
            assert pending.welcome is not None
            late.hear(Lobby(seal(meeting, lobby.WelcomeMessage(0, pending.welcome))))
        meeting.service.run(0.1)
    meeting.service.run(3)
    agree(*rooms, late)
    assert any(isinstance(error, GroupRuleError) for error in late.bad_inputs)


# -- what a member can and cannot do to others ---------------------------------------------------------


def test_a_member_taken_for_vanished_comes_back_by_itself_and_everybody_is_told() -> None:
    meeting, (host, a), insider = meeting_with(A, role=Role.HOST)
    keys = len(a.keys)
    insider.commit([Remove(insider.leaf_of(A))], authenticated_data=VANISHED, enters=True)
    meeting.service.settle()
    assert "a.example.com" not in host.names()
    assert any("a.example.com" in text and "vanished" in text for text in host.view.news)
    meeting.service.run(5)
    agree(host, a)
    assert len(a.keys) == keys + 1
    assert host.view.lobby == ()
    assert a.view.state is State.IN_GROUP


@pytest.mark.parametrize("reason", [KICK, VANISHED, b"", b"\xff"])
def test_a_leave_under_a_false_reason_is_not_carried_out(reason: bytes) -> None:
    meeting, (host, a), insider = meeting_with(A)
    insider.propose(Remove(insider.leaf), reason)
    meeting.service.run(4)
    agree(host, a)
    assert "insider.example.com" in host.names()
    assert not any("host" in text for text in a.view.news)


def test_a_proposal_to_remove_another_comes_to_nothing() -> None:
    meeting, (host, a), insider = meeting_with(A)
    before = [room.state() for room in (host, a)]
    for reason in (b"", LEAVE, KICK):
        insider.propose(Remove(insider.leaf_of(A)), reason)
    meeting.service.run(8)
    assert [room.state() for room in (host, a)] == before


def test_a_bad_offer_holds_up_nobody() -> None:
    meeting, rooms, insider = meeting_with(A)
    outsider = identity("outsider.example.com")
    spoiler = Insider.admit(meeting, who=outsider)
    target = insider.live.leaf(insider.leaf_of(A))
    assert target is not None
    good = Insider.admit(meeting, who=identity("good.example.com"))
    good.offer()
    for _ in range(10):
        spoiler.offer(extension_types=())
        meeting.service.run(0.3)
    assert good.is_in()
    agree(*rooms)
    assert "outsider.example.com" not in rooms[0].names()


def test_an_offer_without_an_admission_is_refused() -> None:
    meeting, (host, a), insider = meeting_with(A)
    stranger = identity("stranger.example.com")
    before = [room.state() for room in (host, a)]
    insider.say(lobby.Offer(bundle_of(stranger).key_package.encode()))
    meeting.service.run(2)
    assert [room.state() for room in (host, a)] == before
    assert isinstance(host.bad_inputs[-1], GroupRuleError)


def test_one_who_repeats_anothers_request_under_its_own_key_is_not_admitted_in_its_place() -> None:
    meeting = Meeting.invite(())
    host = meeting.room(meeting.host)
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    thief = Insider.admit(meeting, who=identity("thief.provider.example", PROVIDER_CA))
    meeting.service.run(3)
    request = thief.requests[-1]
    thief.say(
        lobby.request(
            thief.who.signer, thief.who.chain, meeting.invitation.content.meeting_id, request.request_id
        )
    )
    meeting.service.run(0.2)
    ids = {w.name: w.request_id for w in host.view.lobby}
    assert ids.keys() == {"guest.provider.example", "thief.provider.example"}
    host.admit(ids["guest.provider.example"])
    meeting.service.run(4)
    agree(host, guest)
    assert host.names() == {"host.example.com", "guest.provider.example"}


def test_a_member_denies_nobody() -> None:
    meeting, (host, _), insider = meeting_with(A)
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(3)
    denial = lobby.deny(
        insider.who.signer,
        insider.admission,
        meeting.invitation.content.meeting_id,
        insider.requests[-1].request_id,
        insider.requests[-1].signature_key,
    )
    insider.say(denial)
    meeting.service.run(1)
    assert guest.view.state is State.ASKING
    assert isinstance(guest.bad_inputs[-1], RemoteError)
    host.admit("guest.provider.example")
    meeting.service.run(3)
    assert guest.is_in()


def test_a_denial_of_one_who_repeated_anothers_request_turns_away_nobody_else() -> None:
    meeting = Meeting.invite(())
    host = meeting.room(meeting.host)
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    thief = Insider.admit(meeting, who=identity("thief.provider.example", PROVIDER_CA))
    meeting.service.run(3)
    request_id, meeting_id = thief.requests[-1].request_id, meeting.invitation.content.meeting_id
    thief.say(lobby.request(thief.who.signer, thief.who.chain, meeting_id, request_id))
    meeting.service.run(0.2)
    host.deny("thief.provider.example")
    meeting.service.run(1)
    # The denial went to everybody at the meeting's address.
    assert guest.view.state is State.ASKING
    assert isinstance(guest.bad_inputs[-1], RemoteError)
    assert [w.name for w in host.view.lobby] == ["guest.provider.example"]
    host.deny("guest.provider.example")
    meeting.service.run(4)
    assert guest.ended is not None


def test_throw_away_requests_keep_out_nobody_whom_somebody_vouches_for() -> None:
    meeting = Meeting.invite(("a.example.com",))
    host = meeting.room(meeting.host)
    meeting.service.run(1)
    stranger = Insider.admit(meeting, who=identity("a.example.com", UNKNOWN_CA))
    meeting_id = meeting.invitation.content.meeting_id
    for _ in range(80):
        # One that asks again and again with one key is shown once.
        who = identity("a.example.com", UNKNOWN_CA)
        stranger.say(lobby.request(who.signer, who.chain, meeting_id, os.urandom(16)))
        meeting.service.run(0.1)
    assert len(host.view.lobby) == DEFAULT_LIMITS.waiting
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(1)
    host.admit("guest.provider.example")
    a = meeting.room(A)
    meeting.service.run(4)
    agree(host, guest, a)


MOST_REJOINS_IN_60_S = DEFAULT_LIMITS.rejoins_at_once + 60 // DEFAULT_LIMITS.rejoin_every_s + 1


def distinct_codes(meeting: Meeting, room: Room, seconds: int, act: Callable[[], object]) -> int:
    """How many codes the room shows while `act` is done every second."""
    codes = set()
    end = meeting.service.clock.now + seconds
    while meeting.service.clock.now < end:
        act()
        meeting.service.run(1)
        codes.add(room.view.security_code)
    return len(codes)


def test_a_member_that_offers_itself_again_and_again_changes_the_code_every_four_seconds_at_most() -> None:
    meeting, (host, a), insider = meeting_with(A)

    def again() -> None:
        insider.group = None
        insider.offer()

    assert 2 <= distinct_codes(meeting, a, 60, again) <= 1 + MOST_REJOINS_IN_60_S
    agree(host, a)


def test_a_member_that_leaves_and_comes_back_changes_the_code_no_more_often() -> None:
    meeting, (host, a), insider = meeting_with(A)

    def again() -> None:
        if insider.group is not None:
            insider.propose(Remove(insider.leaf), LEAVE)
            insider.group = None
            meeting.service.run(0.5)
            assert "insider.example.com" not in host.names()
        insider.offer()

    assert 2 <= distinct_codes(meeting, a, 60, again) <= 1 + MOST_REJOINS_IN_60_S
    agree(host, a)


def test_an_application_message_in_the_log_is_refused() -> None:
    meeting, (host, a), insider = meeting_with(A)
    before = [room.state() for room in (host, a)]
    insider.publish(insider.live.protect(insider.live.sign_application(b"\x01")))
    meeting.service.run(1)
    assert [room.state() for room in (host, a)] == before
    assert isinstance(a.bad_inputs[-1], RemoteError)
    late = meeting.room(identity("late.example.com"))
    meeting.service.run(3)
    agree(host, a, late)
