"""A meeting table: two honest rooms, and an insider that is about to break a rule."""

from dataclasses import dataclass, replace

from conclaved.meeting import Admission, GroupRuleError, OwnIdentity, Role, SignedInvitation
from conclaved.meeting.admission import issue
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.mls import GroupContextExtensions
from tests.meeting.cast import A
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import Meeting, Room, agree, identity

STRANGER = identity("stranger.example.com")
GUEST = identity("guest.example.net")
RECORDER = identity("recorder.example.com")


@dataclass
class Table:
    """See the file's head. Whoever publishes something bad has done it when `refuses` is called."""

    meeting: Meeting
    host: Room
    a: Room
    insider: Insider

    @classmethod
    def lay(cls, role: Role = Role.MEMBER, *, is_open: bool = False) -> "Table":
        """Two rooms and the insider, in that role."""
        meeting = Meeting.invite(
            ("a.example.com", "late.example.com"), is_open=is_open, service_ends=("recorder.example.com",)
        )
        host = meeting.room(meeting.host)
        a = meeting.room(identity("a.example.com")) if is_open else meeting.room(A)
        insider = Insider.admit(meeting, role).join()
        meeting.service.run(2)
        agree(host, a)
        assert len(host.names()) == 3
        return cls(meeting, host, a, insider)

    @classmethod
    def closed_by_kick(cls, role: Role = Role.HOST) -> "Table":
        """An open meeting whose link a kick has closed."""
        table = cls.lay(role, is_open=True)
        victim = table.meeting.room(GUEST)
        table.meeting.service.run(4)
        assert "guest.example.net" in table.host.names()
        table.host.kick("guest.example.net")
        table.meeting.service.run(4)
        assert victim.ended is not None
        assert table.insider.context.is_link_closed
        return table

    def join(self, who: OwnIdentity, role: Role = Role.MEMBER) -> Insider:
        """One more who keeps to no rule."""
        other = Insider.admit(self.meeting, role, who=who).join()
        self.meeting.service.run(2)
        agree(self.host, self.a)
        return other

    def changed(self, after: MeetingContext, by: Insider | None = None) -> GroupContextExtensions:
        """The proposal of these terms, signed by the insider, as if it were a host, or by another."""
        by = by or self.insider
        signed = after.signed(by.who.signer, by.admission)
        return GroupContextExtensions((signed.extension(),))

    def invitation(self, **changes: object) -> SignedInvitation:
        """The meeting's invitation with other contents, by the same signer."""
        content = replace(self.meeting.invitation.content, **changes)  # type: ignore[arg-type]
        return SignedInvitation.verify(content.sign(self.meeting.host.signer, self.meeting.host.chain))

    def admitted_by(self, host: Insider, who: OwnIdentity, role: Role = Role.MEMBER) -> Admission:
        """An admission that an insider signs."""
        meeting_id = self.meeting.invitation.content.meeting_id
        key = who.signer.public_key
        return issue(host.who.signer, meeting_id, key, role, issuer_admission=host.admission)

    def refuses(self, rule: str) -> None:
        """What was just published breaks that rule and is nobody's: all are where they were, as they were."""
        rooms = (self.host, self.a)
        before, groups = [room.state() for room in rooms], [_group(room) for room in rooms]
        counts = [len(room.bad_inputs) for room in rooms]
        self.meeting.service.settle()
        assert [room.state() for room in rooms] == before
        assert [_group(room) for room in rooms] == groups
        assert len(set(groups)) == 1
        for room, count in zip(rooms, counts, strict=True):
            (error,) = room.bad_inputs[count:]
            assert isinstance(error, GroupRuleError), error
            assert error.rule == rule, error

    def goes_on(self) -> None:
        """An honest one comes in, in the very next epoch."""
        epoch = self.host.view.epoch
        late = Insider.admit(self.meeting, who=identity("late.example.com")).join()
        self.meeting.service.run(1)
        agree(self.host, self.a)
        assert "late.example.com" in self.host.names()
        assert self.host.view.epoch == late.live.epoch == self.insider.live.epoch == epoch + 1


def _group(room: Room) -> tuple[object, ...]:
    """What all members agree on: epoch, tree, transcript and terms (RFC 9420 §8.1)."""
    group = room.session._member.group
    assert group is not None
    context = group.group_context
    return context.epoch, context.tree_hash, context.confirmed_transcript_hash, context.extensions
