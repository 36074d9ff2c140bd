"""Who was thrown out and asks again is refused, until a host allows it back."""

import os

import pytest

from conclaved.identity import SoftwareSigner
from conclaved.meeting import Level, LocalError, OwnIdentity, Role, State, lobby
from conclaved.meeting.admission import ADMISSION_EXTENSION, succeed
from conclaved.meeting.events import Effect, Lobby, SendLobby
from conclaved.meeting.hosting import DENIAL_EVERY_S
from conclaved.meeting.joining import DENIED_AFTER_S, DENIED_BY_ANOTHER_AFTER_S
from conclaved.mls import Extension, LeafChange, X509Credential
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import (
    PROVIDER_CA,
    PUBLIC_CA,
    UNKNOWN_CA,
    WALL,
    Meeting,
    Room,
    agree,
    identity,
)

A, B = identity("a.example.com"), identity("b.example.com")
OTHER_HOST = identity("other-host.example.com")
GUEST = "guest.provider.example"
REMOVED = "a host removed this room from the meeting"


def host_and_a(level: Level = Level.STANDARD) -> tuple[Meeting, Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com"), level=level)
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(3)
    agree(host, a)
    return meeting, host, a


def kicked(meeting: Meeting, host: Room, who: OwnIdentity = B, name: str = "b.example.com") -> Room:
    room = meeting.room(who)
    meeting.service.run(3)
    if not room.is_in():
        host.admit(name)
        meeting.service.run(3)
    host.kick(name)
    meeting.service.run(3)
    assert room.ended is not None
    assert room.ended.reason == REMOVED
    assert room.ended.is_error
    return room


@pytest.mark.parametrize("level", list(Level))
def test_a_kicked_key_is_turned_away_and_never_shown_in_the_lobby(level: Level) -> None:
    meeting, host, a = host_and_a(level)
    kicked(meeting, host)
    back = meeting.room(B)
    meeting.service.run(DENIED_AFTER_S + 0.5)
    assert back.ended is not None
    assert back.ended.reason == REMOVED
    assert host.view.lobby == ()
    agree(host, a)


def test_a_kicked_name_under_a_new_key_is_turned_away_too() -> None:
    meeting, host, a = host_and_a()
    kicked(meeting, host)
    back = meeting.room(identity("b.example.com"))
    meeting.service.run(DENIED_AFTER_S + 0.5)
    assert back.ended is not None
    assert back.ended.reason == REMOVED
    assert host.view.lobby == ()
    agree(host, a)


def test_a_kicked_guest_does_not_come_back_through_the_lobby_under_a_new_key() -> None:
    meeting, host, a = host_and_a()
    kicked(meeting, host, identity(GUEST, PROVIDER_CA), GUEST)
    back = meeting.room(identity(GUEST, PROVIDER_CA))
    meeting.service.run(DENIED_AFTER_S + 0.5)
    assert back.ended is not None
    assert host.view.lobby == ()
    agree(host, a)


def test_one_who_waits_under_a_name_that_is_thrown_out_is_turned_away() -> None:
    meeting, host, a = host_and_a()
    guest = meeting.room(identity(GUEST, PROVIDER_CA))
    meeting.service.run(1)
    host.admit(GUEST)
    meeting.service.run(3)
    second = meeting.room(identity(GUEST, PROVIDER_CA))
    meeting.service.run(1)
    assert [w.name for w in host.view.lobby] == [GUEST]
    host.kick(GUEST)
    meeting.service.run(DENIED_AFTER_S + 1)
    assert host.view.lobby == ()
    assert guest.ended is not None
    assert second.ended is not None
    assert second.ended.reason == REMOVED
    agree(host, a)


def test_hosts_see_who_was_removed_and_others_do_not() -> None:
    meeting, host, a = host_and_a()
    kicked(meeting, host)
    (removed,) = host.view.removed
    assert removed.name == "b.example.com"
    assert len(removed.key_id) == 16
    assert a.view.removed == ()


def test_one_who_was_allowed_back_comes_in_like_before() -> None:
    meeting, host, a = host_and_a()
    kicked(meeting, host)
    host.allow_back("b.example.com")
    meeting.service.run(1)
    assert host.view.removed == ()
    back = meeting.room(B)
    meeting.service.run(3)
    agree(host, a, back)


def test_one_who_was_allowed_back_may_come_at_once_and_under_a_new_key() -> None:
    meeting, host, a = host_and_a()
    kicked(meeting, host)
    host.allow_back("b.example.com")
    back = meeting.room(identity("b.example.com"))
    meeting.service.run(3)
    agree(host, a, back)


def test_one_who_was_allowed_back_can_be_kicked_again() -> None:
    meeting, host, a = host_and_a()
    kicked(meeting, host)
    host.allow_back("b.example.com")
    kicked(meeting, host)
    back = meeting.room(B)
    meeting.service.run(DENIED_AFTER_S + 1)
    assert back.ended is not None
    agree(host, a)


def test_allowing_back_survives_the_end_of_its_epoch() -> None:
    meeting, host, a = host_and_a()
    kicked(meeting, host)
    insider = Insider.admit(meeting).join()
    insider.commit(enters=True)
    host.allow_back("b.example.com")
    meeting.service.run(3)
    assert host.view.removed == ()
    agree(host, a)


def test_another_host_may_allow_back() -> None:
    meeting, host, a = host_and_a()
    other_host = identity("other-host.example.com")
    other = meeting.room(other_host, admission=meeting.admission(other_host, Role.HOST))
    meeting.service.run(3)
    kicked(meeting, host)
    other.allow_back("b.example.com")
    meeting.service.run(3)
    back = meeting.room(B)
    meeting.service.run(3)
    agree(host, other, a, back)


def test_a_host_that_came_later_lists_keys_without_names_and_lets_nobody_in_by_itself() -> None:
    meeting, host, a = host_and_a()
    kicked(meeting, host)
    late_host = identity("late-host.example.com")
    late = meeting.room(late_host, admission=meeting.admission(late_host, Role.HOST))
    meeting.service.run(3)
    assert [removed.name for removed in late.view.removed] == [""]
    assert late.view.removed[0].key_id == host.view.removed[0].key_id
    meeting.service.crash(host)
    back = meeting.room(identity("b.example.com"))
    meeting.service.run(3)
    assert back.ended is None
    assert [w.name for w in late.view.lobby] == ["b.example.com"]
    key_back = meeting.room(B)
    meeting.service.run(DENIED_BY_ANOTHER_AFTER_S + 1)
    assert key_back.ended is not None
    late.perform(late.session.allow_back(late.view.removed[0].key_id, meeting.service.clock.now))
    meeting.service.run(4)
    agree(late, a, back)


def test_the_true_bearer_of_a_name_is_not_kept_out_by_one_who_was_thrown_out_with_a_weaker_claim() -> None:
    meeting = Meeting.invite(("b.example.com",), is_open=True)
    host = meeting.room(meeting.host)
    meeting.service.run(1)
    for authority in (UNKNOWN_CA, PROVIDER_CA):
        pretender = identity("b.example.com", authority)
        admission = meeting.admission(pretender, Role.GUEST)
        played = Insider.admit(meeting, who=pretender, admission=admission).join()
        meeting.service.run(1)
        host.kick("b.example.com")
        meeting.service.run(2)
        assert host.names() == {"host.example.com"}
        played.is_following = False
    true = meeting.room(B, admission=None)
    meeting.service.run(8)
    assert true.ended is None
    agree(host, true)


def test_a_kick_lists_all_keys_that_a_member_has_had() -> None:
    meeting, host, a = host_and_a()
    new = OwnIdentity(SoftwareSigner.generate(), B.chain)
    first = meeting.admission(B)
    Insider.admit(meeting, who=B, admission=first).join().is_following = False
    chain = identity_chain(new)
    admission = succeed(B.signer, first, new.signer.public_key)
    member = Insider.admit(meeting, who=OwnIdentity(new.signer, chain), admission=admission).join()
    meeting.service.run(1)
    host.kick("b.example.com")
    meeting.service.run(3)
    keys = {B.signer.public_key, new.signer.public_key}
    assert host.session._member.context.kicked == keys
    assert len(host.view.removed) == 1
    member.is_following = False
    back = meeting.room(B, admission=first)
    meeting.service.run(1)
    assert not back.is_in()
    host.allow_back("b.example.com")
    meeting.service.run(3)
    assert host.session._member.context.kicked == frozenset()
    # What it held before lets it in no more: it has to ask.
    assert not back.is_in()
    meeting.service.run(25)
    agree(host, a, back)


def test_a_kicked_host_that_is_allowed_back_is_no_host_by_what_it_held() -> None:
    meeting, host, a = host_and_a()
    second = meeting.room(B, admission=meeting.admission(B, Role.HOST))
    meeting.service.run(4)
    agree(host, a, second)
    kept = second.session.admission
    stranger = identity("stranger.example.net")
    by_its_word = second.session._own.admit_job(stranger.signer.public_key, Role.MEMBER, 9)()
    host.kick("b.example.com")
    meeting.service.run(3)
    host.allow_back("b.example.com")
    meeting.service.run(3)
    again = meeting.room(B, admission=kept)
    other = meeting.room(stranger, admission=by_its_word)
    meeting.service.run(30)
    agree(host, a, again)
    assert a.role("b.example.com") is Role.MEMBER
    assert not other.is_in()


def test_who_had_several_keys_let_in_comes_back_with_none_of_them() -> None:
    meeting, host, a = host_and_a()
    spare = meeting.room(identity("b.example.com"), connect=False)
    # It is let in and does not come, for now.
    meeting.service.upstream = lambda client, effect: client is not spare or not is_offer(meeting, effect)
    meeting.service.connect(spare)
    meeting.service.run(1)
    assert spare.view.state is State.OFFERING
    b = meeting.room(B)
    meeting.service.run(3)
    agree(host, a, b)
    host.kick("b.example.com")
    meeting.service.run(3)
    assert b.has_ended()
    meeting.service.upstream = lambda client, effect: True
    meeting.service.run(6)
    assert not spare.is_in()
    assert host.names() == {"host.example.com", "a.example.com"}
    assert len(host.view.removed) == 1
    host.allow_back("b.example.com")
    meeting.service.run(3)
    assert host.session._member.context.kicked == frozenset()


def test_another_host_takes_back_what_it_gave_one_that_is_thrown_out() -> None:
    meeting, host, a = host_and_a()
    other = meeting.room(OTHER_HOST, admission=meeting.admission(OTHER_HOST, Role.HOST))
    meeting.service.run(3)
    # The first host is out of reach for a moment: it is the other one that lets the spare key in.
    spare = meeting.room(identity("b.example.com"), connect=False)
    meeting.service.filter = lambda room, event: [] if room is host and isinstance(event, Lobby) else [event]
    meeting.service.upstream = lambda client, effect: client is not spare or not is_offer(meeting, effect)
    meeting.service.connect(spare)
    meeting.service.run(1)
    assert spare.view.state is State.OFFERING
    meeting.service.filter = lambda room, event: [event]
    b = meeting.room(B)
    meeting.service.run(3)
    host.kick("b.example.com")
    meeting.service.run(3)
    assert b.has_ended()
    meeting.service.upstream = lambda client, effect: True
    meeting.service.run(6)
    assert not spare.is_in()
    agree(host, a, other)


def test_one_that_was_made_a_host_after_it_had_changed_its_key_is_thrown_out_with_both() -> None:
    # A host's new admission of the new key says nothing of the old one, which a host admitted too.
    meeting, host, a = host_and_a()
    first = meeting.admission(B)
    member = Insider.admit(meeting, who=B, admission=first).join()
    new = SoftwareSigner.generate()
    chain = identity_chain(OwnIdentity(new, B.chain))
    successor = Extension(ADMISSION_EXTENSION, succeed(B.signer, first, new.public_key).encode())
    change = LeafChange(signer=new, credential=X509Credential(chain), extensions=(successor,))
    member.commit(leaf=change, enters=True)
    meeting.service.settle()
    as_host = meeting.admission(OwnIdentity(new, chain), Role.HOST)
    member.commit(
        leaf=LeafChange(extensions=(Extension(ADMISSION_EXTENSION, as_host.encode()),)), enters=True
    )
    meeting.service.settle()
    assert host.view.participants[2].role is Role.HOST
    host.kick("b.example.com")
    meeting.service.run(3)
    assert host.session._member.context.kicked == {B.signer.public_key, new.public_key}
    agree(host, a)


def is_offer(meeting: Meeting, effect: Effect) -> bool:
    if not isinstance(effect, SendLobby):
        return False
    return isinstance(lobby.unseal(effect.data, meeting.link.sealer()), lobby.Offer)


def identity_chain(who: OwnIdentity) -> tuple[bytes, ...]:
    key = who.signer.certificate_public_key
    chain = PUBLIC_CA.issue(key, dns=["b.example.com"], not_before=WALL - 60, not_after=WALL + 86400)
    return tuple(chain)


def test_who_offers_by_an_old_admission_is_told_in_the_end_that_it_was_removed() -> None:
    meeting, host, a = host_and_a()
    gone = kicked(meeting, host)
    back = meeting.room(B, admission=gone.session.admission)
    meeting.service.run(10)
    assert back.view.state is State.OFFERING
    meeting.service.run(15)
    assert back.ended is not None
    assert back.ended.reason == REMOVED
    agree(host, a)


def test_only_a_host_allows_back() -> None:
    meeting, host, a = host_and_a()
    kicked(meeting, host)
    with pytest.raises(LocalError) as caught:
        a.session.allow_back(host.view.removed[0].key_id, meeting.service.clock.now)
    assert caught.value.hint


def test_nobody_who_was_not_removed_is_allowed_back() -> None:
    meeting, host, a = host_and_a()
    before = host.state()
    with pytest.raises(LocalError) as caught:
        host.session.allow_back("0123456789abcdef", meeting.service.clock.now)
    assert caught.value.hint
    meeting.service.run(1)
    assert host.state() == before
    agree(host, a)


# -- what it costs the host -------------------------------------------------------------------------


class CountingSigner:
    def __init__(self, inner: SoftwareSigner) -> None:
        self.inner, self.signed = inner, 0

    @property
    def public_key(self) -> bytes:
        return self.inner.public_key

    @property
    def certificate_public_key(self) -> object:
        return self.inner.certificate_public_key

    def sign(self, data: bytes) -> bytes:
        if b"Conclave 1.0 Denial" in data or b"Conclave 1.0 Admission" in data:
            self.signed += 1
        return self.inner.sign(data)


def counting_host() -> tuple[Meeting, Room, CountingSigner, Insider]:
    who = identity("host.example.com")
    assert isinstance(who.signer, SoftwareSigner)
    signer = CountingSigner(who.signer)
    meeting = Meeting.invite(("a.example.com",), host=OwnIdentity(signer, who.chain))  # type: ignore[arg-type]
    host = meeting.room(meeting.host)
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    return meeting, host, signer, insider


def ask(meeting: Meeting, insider: Insider, who: OwnIdentity, request_id: bytes = b"") -> None:
    meeting_id = meeting.invitation.content.meeting_id
    insider.say(lobby.request(who.signer, who.chain, meeting_id, request_id or os.urandom(16)))
    meeting.service.settle()


def test_a_removed_key_that_asks_without_end_costs_one_signature_in_a_few_seconds() -> None:
    meeting, host, signer, insider = counting_host()
    host.kick("insider.example.com")
    meeting.service.run(2)
    signer.signed = 0
    for _ in range(20):
        ask(meeting, insider, insider.who)
        meeting.service.run(0.2)
    assert signer.signed == 1
    meeting.service.run(DENIAL_EVERY_S)
    ask(meeting, insider, insider.who)
    assert signer.signed == 2
    assert host.view.lobby == ()


def test_a_removed_name_under_ever_new_keys_costs_about_one_signature_a_second() -> None:
    meeting, host, signer, insider = counting_host()
    host.kick("insider.example.com")
    meeting.service.run(2)
    signer.signed = 0
    for _ in range(20):
        ask(meeting, insider, identity("insider.example.com"))
        meeting.service.run(0.2)
    assert 4 <= signer.signed <= 7
    assert host.view.lobby == ()


def test_an_invited_one_that_asks_without_end_costs_one_signature() -> None:
    meeting, _host, signer, insider = counting_host()
    signer.signed = 0
    for _ in range(20):
        ask(meeting, insider, A)
    assert signer.signed == 1


def test_a_request_that_the_service_repeats_while_a_slow_key_store_signs_is_signed_for_once() -> None:
    meeting, host, _signer, insider = counting_host()
    host.holds_jobs = True
    meeting_id = meeting.invitation.content.meeting_id
    request = lobby.request(A.signer, A.chain, meeting_id, os.urandom(16))
    for _ in range(10):
        insider.say(request)
    meeting.service.settle()
    assert len(host.jobs) == 1
