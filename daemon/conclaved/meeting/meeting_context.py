"""What all members agree on about the meeting: an extension of the GroupContext.

    struct {
        opaque invitation<V>;                 the signed token
        opaque kicked<V><V>;                  signature keys that may not be in
        uint8 is_link_closed;
        opaque link_guests<V><V>;             keys that the link admitted before it was closed
        uint8 is_ended;                       a host has ended the meeting for all
    } MeetingContext;

It changes only by a host's GroupContextExtensions proposal (RFC 9420 §12.1.7), and then only
the kicked list, the link, the invitation's serial and, once, the end: `rules` says so.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from conclaved.meeting.errors import GroupRuleError, InvitationError
from conclaved.meeting.invitation import SignedInvitation
from conclaved.mls import Extension
from conclaved.mls.codec import Reader, decode_whole, opaque, uint8, vector
from conclaved.mls.errors import DecodeError

MEETING_EXTENSION = 0xF0C1
"""GroupContext extension type, from the private range (RFC 9420 §17.3)."""
MAX_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class MeetingContext:
    """The extension's content, parsed; the invitation's signature has been checked."""

    invitation: SignedInvitation
    kicked: frozenset[bytes] = frozenset()
    is_link_closed: bool = False
    link_guests: frozenset[bytes] = frozenset()
    is_ended: bool = False

    def extension(self) -> Extension:
        """The extension, with its keys in order so that equal contents have equal bytes."""
        data = (
            opaque(self.invitation.token.encode())
            + vector(opaque(key) for key in sorted(self.kicked))
            + uint8(self.is_link_closed)
            + vector(opaque(key) for key in sorted(self.link_guests))
            + uint8(self.is_ended)
        )
        return Extension(MEETING_EXTENSION, data)

    @classmethod
    def of(cls, extensions: tuple[Extension, ...]) -> "MeetingContext":
        """Find and parse the extension. Raises GroupRuleError where there is none or it is bad."""
        return _parse(extensions)

    @classmethod
    def _of(cls, extensions: tuple[Extension, ...]) -> "MeetingContext":
        found = [e for e in extensions if e.extension_type == MEETING_EXTENSION]
        if len(found) != 1 or len(extensions) != 1:
            raise GroupRuleError("the group is not that of a meeting", rule="DESIGN §4 Invitation")
        try:
            token, kicked, is_closed, guests, is_ended = decode_whole(found[0].data, _read)
            invitation = SignedInvitation.verify(token.decode("ascii"))
        except (DecodeError, UnicodeDecodeError, InvitationError) as error:
            raise GroupRuleError(
                "the group's invitation is malformed", rule="DESIGN §4 Invitation"
            ) from error
        context = cls(
            invitation, frozenset(kicked), bool(is_closed), frozenset(guests), is_ended=bool(is_ended)
        )
        if context.extension().data != found[0].data or max(len(kicked), len(guests)) > MAX_KEYS:
            raise GroupRuleError("the group's meeting is not in its one form", rule="DESIGN §4 Invitation")
        return context

    def kick(self, keys: frozenset[bytes], link_admitted: frozenset[bytes]) -> "MeetingContext":
        """The context with the keys of one more who is thrown out, its whole line (`admission.line`).

        An open meeting closes its link with it and keeps by key the guests who are in
        (`link_admitted`): a kicked one would only need a new key otherwise.
        """
        closed = replace(self, kicked=self.kicked | keys)
        if self.invitation.content.is_open:
            closed = replace(closed, is_link_closed=True, link_guests=link_admitted - keys)
        return closed


@lru_cache(maxsize=64)
def _parse(extensions: tuple[Extension, ...]) -> MeetingContext:
    return MeetingContext._of(extensions)


def _read(reader: Reader) -> tuple[bytes, tuple[bytes, ...], int, tuple[bytes, ...], int]:
    return (
        reader.opaque(),
        reader.vector(Reader.opaque),
        reader.uint8(),
        reader.vector(Reader.opaque),
        reader.uint8(),
    )
