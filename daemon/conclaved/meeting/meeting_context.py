"""What all members agree on about the meeting: an extension of the GroupContext.

    struct {
        opaque invitation<V>;                 the signed token
        opaque kicked<V><V>;                  signature keys that may not be in
        uint8 is_link_closed;
        opaque link_guests<V><V>;             keys that the link admitted before it was closed
        AllowedBack allowed_back<V>;          keys that were on the list above
        uint8 is_ended;                       a host has ended the meeting for all
        uint32 serial;                        how often a host has changed the above
        optional<HostsWord> word;             on all above, unless it is an invitation and no more
    } MeetingContext;

    struct {
        opaque signature_key<V>;
        uint32 serial;                        of the first admission of it that counts again
    } AllowedBack;

    struct {
        opaque admission<V>;                  the host's own, back to the invitation
        opaque signature<V>;                  by its key, over the label and all above
    } HostsWord;

It changes only by a host's GroupContextExtensions proposal (RFC 9420 §12.1.7), and then only the kicked
list, who is allowed back, the link, the invitation's serial and, once, the end: `rules` says so. A joiner
has not seen the change, and a founder makes none; so the host signs what it decides, and whoever is no host
can found a meeting with nothing on its list but what a host once put there.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from conclaved.meeting.admission import KEY_BYTES, Admission, AdmissionSigner, check, line, verify
from conclaved.meeting.capabilities import Capability, may
from conclaved.meeting.errors import AdmissionError, GroupRuleError, InvitationError
from conclaved.meeting.invitation import SignedInvitation
from conclaved.mls import Extension
from conclaved.mls.codec import Reader, decode_whole, opaque, optional, uint8, uint32, vector
from conclaved.mls.errors import DecodeError

MEETING_EXTENSION = 0xF0C1
"""GroupContext extension type, from the private range (RFC 9420 §17.3)."""
TERMS_LABEL = b"Conclave 1.0 Terms"
MAX_KEYS = 10_000
MAX_SERIAL = 2**32 - 1


@dataclass(frozen=True, slots=True)
class HostsWord:
    """A host's signature on the terms."""

    admission: Admission
    """The host's own."""
    signature: bytes


@dataclass(frozen=True, slots=True)
class MeetingContext:
    """The extension's content, parsed; the invitation's signature has been checked."""

    invitation: SignedInvitation
    kicked: frozenset[bytes] = frozenset()
    is_link_closed: bool = False
    link_guests: frozenset[bytes] = frozenset()
    is_ended: bool = False
    serial: int = 0
    """Which of two contexts is the later decision; see `next_serial`."""
    word: HostsWord | None = None
    allowed_back: frozenset[tuple[bytes, int]] = frozenset()
    """Keys that were thrown out and may be in again, with the serial that their next admission has at least:
    those from before the kick, and what was signed by their word, are over."""

    def content(self) -> bytes:
        """What a host signs: everything but the signature, with the keys in order."""
        return (
            opaque(self.invitation.token.encode())
            + vector(opaque(key) for key in sorted(self.kicked))
            + uint8(self.is_link_closed)
            + vector(opaque(key) for key in sorted(self.link_guests))
            + vector(opaque(key) + uint32(serial) for key, serial in sorted(self.allowed_back))
            + uint8(self.is_ended)
            + uint32(self.serial)
        )

    @property
    def is_plain(self) -> bool:
        """Whether this is the invitation and no more: what anybody who may found a meeting begins with."""
        decided = (self.kicked, self.is_link_closed, self.link_guests, self.allowed_back, self.is_ended)
        return not (any(decided) or self.serial)

    @property
    def next_serial(self) -> int:
        """The serial of terms that a host puts in the place of these. Many changes later it stays."""
        return min(self.serial + 1, MAX_SERIAL)

    def serial_for(self, signature_key: bytes) -> int:
        """The serial of an admission of that key, signed now.

        Who was allowed back in a group before this one may be noted with a serial that this has not reached.
        """
        return max(self.next_serial, dict(self.allowed_back).get(signature_key, 0))

    def signed(self, host: AdmissionSigner, admission: Admission) -> "MeetingContext":
        """These terms with the word of a host, whose own admission this is. Slow with a key in a TPM."""
        signature = host.sign(opaque(TERMS_LABEL) + self.content())
        return replace(self, word=HostsWord(admission, signature))

    def check_word(self) -> None:
        """Raise AdmissionError unless these are plain terms, or a host of the meeting has signed them."""
        if not self.is_plain:
            _check_word(self)

    def extension(self) -> Extension:
        """The extension; equal contents have equal bytes."""
        word = None
        if self.word is not None:
            word = opaque(self.word.admission.encode()) + opaque(self.word.signature)
        return Extension(MEETING_EXTENSION, self.content() + optional(word))

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
            token, kicked, is_closed, guests, back, is_ended, serial, word = decode_whole(
                found[0].data, _read
            )
            invitation = SignedInvitation.verify(token.decode("ascii"))
        except (DecodeError, UnicodeDecodeError, InvitationError, AdmissionError) as error:
            raise GroupRuleError("the group's terms are malformed", rule="DESIGN §4 Invitation") from error
        keys_out, keys_in = frozenset(kicked), frozenset(guests)
        context = cls(
            invitation, keys_out, bool(is_closed), keys_in, bool(is_ended), serial, word, frozenset(back)
        )
        keys_back = {key for key, _ in back}
        is_too_much = max(len(kicked), len(guests), len(back)) > MAX_KEYS or len(keys_back) != len(back)
        is_no_key = any(len(key) != KEY_BYTES for key in (*kicked, *guests, *keys_back))
        if context.extension().data != found[0].data or is_too_much or is_no_key:
            raise GroupRuleError("the group's meeting is not in its one form", rule="DESIGN §4 Invitation")
        return context

    def forgive(self, keys: frozenset[bytes]) -> "MeetingContext":
        """The context in which the next terms allow these back, of those who are on the list.

        They have to be let in anew: what was signed before the next change is signed before that.
        """
        back = dict(self.allowed_back)
        for key in keys & self.kicked:
            # One that was noted before, in a group before this one perhaps, never gets less.
            back[key] = max(self._serial_after_next, min(back.get(key, 0) + 1, MAX_SERIAL))
        return replace(self, kicked=self.kicked - keys, allowed_back=frozenset(back.items()), word=None)

    @property
    def _serial_after_next(self) -> int:
        return min(self.serial + 2, MAX_SERIAL)

    def kick(self, keys: frozenset[bytes], link_admitted: frozenset[bytes]) -> "MeetingContext":
        """The context with the keys of one more who is thrown out, its whole line (`admission.line`).

        An open meeting closes its link with it and keeps by key the guests who are in
        (`link_admitted`): a kicked one would only need a new key otherwise.
        """
        closed = replace(self, kicked=self.kicked | keys, word=None)
        if self.invitation.content.is_open:
            # Once closed it admits nobody new: a guest's later key is in by the one that it has succeeded.
            guests = self.link_guests if self.is_link_closed else link_admitted
            closed = replace(closed, is_link_closed=True, link_guests=guests - keys)
        return closed


@lru_cache(maxsize=64)
def _parse(extensions: tuple[Extension, ...]) -> MeetingContext:
    return MeetingContext._of(extensions)


@lru_cache(maxsize=64)
def _check_word(context: MeetingContext) -> None:
    word = context.word
    if word is None:
        raise AdmissionError("no host stands behind the meeting's terms", rule="DESIGN §4 Group rules")
    check(word.admission, word.admission.signature_key, context.invitation)
    if not may(word.admission.role, Capability.BAN) or line(word.admission) & context.kicked:
        raise AdmissionError("the meeting's terms are not by a host", rule="DESIGN §4 Group rules")
    verify(word.admission.signature_key, word.signature, opaque(TERMS_LABEL) + context.content())


def _read(
    reader: Reader,
) -> tuple[
    bytes,
    tuple[bytes, ...],
    int,
    tuple[bytes, ...],
    tuple[tuple[bytes, int], ...],
    int,
    int,
    HostsWord | None,
]:
    return (
        reader.opaque(),
        reader.vector(Reader.opaque),
        reader.uint8(),
        reader.vector(Reader.opaque),
        reader.vector(lambda inner: (inner.opaque(), inner.uint32())),
        reader.uint8(),
        reader.uint32(),
        reader.optional(lambda inner: HostsWord(Admission.decode(inner.opaque()), inner.opaque())),
    )
