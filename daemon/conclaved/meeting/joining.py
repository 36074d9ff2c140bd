"""On the way in: asking for an admission, offering a KeyPackage, taking the Welcome.

A request or an offer is repeated every two seconds until it is answered: the lobby keeps nothing,
and any message in it may be lost.
"""

import hashlib
from collections import Counter
from collections.abc import Callable

from conclaved.identity import Signer
from conclaved.meeting import lobby
from conclaved.meeting.admission import Admission, IssuerType, Role, check, line, origin
from conclaved.meeting.alive import WINDOW_S
from conclaved.meeting.departures import ENDED
from conclaved.meeting.errors import GroupRuleError, RemoteError
from conclaved.meeting.events import Ended, SendLobby
from conclaved.meeting.limits import Bucket, Limits
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.own_side import SUITE, OwnSide
from conclaved.meeting.roster import Assess, name_in_words
from conclaved.meeting.rules import check_joined
from conclaved.meeting.welcoming import is_welcome_for
from conclaved.mls import AcceptAny, Extension, GoneError, Group, KeyPackageBundle
from conclaved.mls.ratchet_tree import RatchetTree

REPEAT_S = 2.0
OFFER_ANEW_S = 30.0
"""An offer that was not answered by then is replaced by a fresh one: it may have been used up by a
commit whose Welcome nobody has any more, and nobody takes it twice."""
UNANSWERED_AFTER = 10
MOST_EXAMINED = 3
"""Welcomes for one offer that one member's key has signed."""
MOST_FAILED = 256
POSTPONED_S = 30.0
"""Signs of a group that anybody can forge keep us from founding one for so long in all."""
DENIED_AFTER_S = 3.0
"""The invitation's signer turns us away: so long another host's admission may be under way."""
DENIED_BY_ANOTHER_AFTER_S = 30.0
"""Another host does, which may have been thrown out itself: so long others may still let us in."""
TRIED_S = 6.0
"""After so long without an answer to our offer, another host's admission is tried, if there is one."""
MOST_OTHERS = 8
ANSWER_S = 3.0
ASK_THE_HOST = "ask the host, then join again"
REMOVED = "a host removed this room from the meeting"
KEPT_WAITING_AFTER = 2
"""A request that was repeated so often waits for a person."""

Joined = Callable[[Group, MeetingContext, int, float], bool]
"""(group, context, the log's next sequence number, now) -> whether this device is in it now"""


class Joining:
    """Owns the KeyPackage's private keys until a Welcome takes them."""

    def __init__(
        self,
        out: Outbox,
        own: OwnSide,
        assess: Assess,
        broke: Callable[[Exception, float], None],
        limits: Limits,
    ) -> None:
        """`broke` is told when this device cannot sign."""
        self._out = out
        self._assess = assess
        self._own = own
        self._broke = broke
        self.request_id = out.random(lobby.REQUEST_ID_BYTES)
        self._bundle: KeyPackageBundle | None = None
        self._wish: object | None = None
        """The offer that is to be made: one under way may not be wanted any more when its key is there."""
        self._is_resting = False
        """The offer was answered by a group that this device does not want to be in; it is not repeated."""
        self._message: bytes | None = None
        self._request: bytes | None = None
        self._repeat_at = 0.0
        self._times_said = 0
        self._answers = Bucket(limits.answers_per_s)
        self._welcomes = Bucket(limits.welcomes_per_s)
        self._max_leaves = limits.leaves
        self._failed: set[bytes] = set()
        """SHA-256 of Welcomes for the present offer that led nowhere."""
        self._examined: Counter[bytes] = Counter()
        """How many Welcomes for it each member's key has signed that were looked at in full."""
        self.others_heard: float | None = None
        """When others were last heard to be in a group, or to found one."""
        self._signer: Signer | None = None
        """Of the offer: this device's key may be another one meanwhile."""
        self._unanswered_since: float | None = None
        self._proven: Admission | None = None
        """With which this session was in a group."""
        self._granted: Admission | None = None
        """By an answer in this session; no group has shown that it holds."""
        self._granted_at = 0.0
        self._others: dict[bytes, Admission] = {}
        """Other hosts', by the host next to the invitation's signer: a kicked one gets one place."""
        self._denied: tuple[Ended, bytes, float] | None = None
        """How it ends, by whose key, and when."""
        self.offered_at = 0.0
        """When the present offer was made (monotonic seconds)."""

    def __repr__(self) -> str:
        return f"Joining({self._bundle!r})"

    def ask(self) -> None:
        """Ask the hosts for an admission."""
        signer, chain = self._own.identity.signer, self._own.identity.chain
        meeting_id, request_id = self._own.meeting_id, self.request_id
        self._out.job(lambda: lobby.request(signer, chain, meeting_id, request_id), self._repeat, self._broke)

    def also_ask(self) -> None:
        """Ask too while an offer stands: the admission that it carries may not do any more."""
        if self._request is None:
            signer, chain = self._own.identity.signer, self._own.identity.chain
            self._request = b""
            meeting_id, request_id = self._own.meeting_id, self.request_id

            def signed(request: lobby.Request, _now: float) -> None:
                self._request = self._out.seal(request)

            self._out.job(lambda: lobby.request(signer, chain, meeting_id, request_id), signed, self._broke)

    def offer(self) -> None:
        """Offer a fresh KeyPackage."""
        signer, wish = self._own.identity.signer, object()
        self._wish = wish

        def made(bundle: KeyPackageBundle, now: float) -> None:
            if self._wish is not wish:
                bundle.close()
                return
            times_said = 0 if self._bundle is None else self._times_said
            since = None if self._bundle is None else self._unanswered_since
            self.close()
            self._bundle, self._signer = bundle, signer
            self.offered_at = now
            self._repeat(lobby.Offer(bundle.key_package.encode()), now)
            self._times_said, self._unanswered_since = times_said, since

        self._out.job(self._own.key_package_job(), made, self._broke)

    def offer_anew(self, now: float) -> None:
        """Replace the offer by a fresh one, under whichever key is this device's now."""
        self.offered_at = now
        self.offer()

    def repeat_if_due(self, now: float) -> None:
        """Say it again; an offer that grows old, anew."""
        if self.is_unanswered and self._unanswered_since is None:
            self._unanswered_since = now
        if self._bundle is not None and not self._is_resting and now - self.offered_at > OFFER_ANEW_S:
            self.offer_anew(now)
        if self._message is not None and now >= self._repeat_at:
            self._repeat_at = now + REPEAT_S
            self._out.add(SendLobby(self._message))
            if self._request:
                self._out.add(SendLobby(self._request))
            self._times_said += 1
            if self._times_said == KEPT_WAITING_AFTER:
                self._out.changed()

    def on_answer(self, answer: lobby.Grant | lobby.Denial, admitted: Callable[[], None], now: float) -> None:
        """Take a host's answer to our request: an admission, after which `admitted` is called, or a denial.

        From outside nobody can tell a host from one that was thrown out. So a denial waits for another
        host's admission, a good while unless the invitation's signer has made it; and of several hosts'
        admissions one after the other is tried.
        Raises errors of the meeting.
        """
        if answer.request_id != self.request_id or not self._answers.take(now):
            return
        held = self._own.admission
        if isinstance(answer, lobby.Denial):
            lobby.check_denial(answer, self._own.invitation, self._own.key)
            self.others_heard = now
            by = answer.host.signature_key
            is_signers = self._own.invitation.signer_key in line(answer.host)
            at = now + (DENIED_AFTER_S if is_signers else DENIED_BY_ANOTHER_AFTER_S)
            is_anothers = held is not None and held == self._granted and held.issuer_key != by
            is_sooner = self._denied is None or at < self._denied[2]
            if is_sooner and (self.is_unanswered or not is_anothers):
                self._denied = self._end_by(answer), by, at
                self._out.changed()
            return
        admission = answer.admission
        check(admission, self._own.key, self._own.invitation)
        # A host answers: there is a group, and it is not ours to found another one.
        self.others_heard = now
        if not self._is_better(admission, held):
            return
        if self._denied is not None and self._denied[1] != admission.issuer_key:
            self._denied = None
            self._out.changed()
        if held is not None and held == self._granted and now - self._granted_at < TRIED_S:
            if admission != held and len(self._others) < MOST_OTHERS:
                self._others[_first_issuer(admission)] = admission
            return
        self._take(admission, now)
        admitted()

    def _end_by(self, denial: lobby.Denial) -> Ended:
        match denial.reason:
            case lobby.DenialReason.ENDED:
                return Ended(ENDED.format(self._host_in_words(denial.host)))
            case lobby.DenialReason.REMOVED:
                return Ended(REMOVED, is_error=True, hint=ASK_THE_HOST)
            case lobby.DenialReason.REFUSED:
                return Ended("a host did not let this room in", is_error=True, hint=ASK_THE_HOST)

    def _host_in_words(self, host: Admission) -> str:
        """From outside only the invitation's signer is known by name."""
        invitation = self._own.invitation
        if host.signature_key != invitation.signer_key:
            return "a host"
        return name_in_words(self._assess(invitation.chain, host.signature_key))

    def try_another(self, admitted: Callable[[], None], now: float) -> None:
        """Where the offer is not answered, try what another host has said."""
        held = self._own.admission
        if self._others and held == self._granted and now - self._granted_at >= TRIED_S:
            admission = self._others.pop(next(iter(self._others)))
            if held is not None:
                self._others[_first_issuer(held)] = held
            self._take(admission, now)
            admitted()

    def denied(self, now: float) -> Ended | None:
        """The end, when a host has turned us away and no other has let us in meanwhile."""
        return self._denied[0] if self._denied is not None and now >= self._denied[2] else None

    @property
    def waits_for(self) -> str:
        """Why this room goes on asking though a host has turned it away, in words; empty if none has."""
        return f"another host, since {self._denied[0].reason}" if self._denied is not None else ""

    def came_in(self) -> None:
        """This device is in a group, with the admission that it has now."""
        self._proven, self._granted, self._denied = self._own.admission, None, None
        self._others.clear()

    def _take(self, admission: Admission, now: float) -> None:
        self._own.admission = self._granted = admission
        self._granted_at = now

    def _is_better(self, admission: Admission, held: Admission | None) -> bool:
        """Whether to use an admission in place of the one held: anybody can repeat an old answer to us."""
        if held is None or held == self._granted:
            return True
        if held == self._proven and held.role is Role.HOST:
            # Of a host that only waits for its group to answer nothing less may become.
            return False
        return admission.role <= held.role or self.is_unanswered

    def on_welcome(
        self, message: lobby.WelcomeMessage, joined: Joined, again: Callable[[], None], now: float
    ) -> None:
        """Join by a Welcome, if it is ours; `again` is called if our offer is used up.

        The group is refused if it carries another invitation than ours, or if anybody in it has
        no valid admission: a joiner believes nobody. The offer outlives that, and a group that this
        device does not want to be in: whoever has the link can make a Welcome for it, and would keep
        us out if the honest one came too late. Raises errors of MLS and of the meeting.

        Admissions are looked at before the signatures of a tree that may be large; who has one, and so
        gets that far, gets it a few times for each of our offers.
        """
        bundle, digest = self._bundle, hashlib.sha256(message.welcome).digest()
        signer = self._signer
        if bundle is None or signer is None or self._out.is_busy or digest in self._failed:
            return
        if not is_welcome_for(message.welcome, bundle.key_package, SUITE) or not self._welcomes.take(now):
            return
        wall, token = self._own.wall(), self._own.invitation.token
        examined, examines = Counter(self._examined), list[bytes]()

        def inspect(extensions: tuple[Extension, ...], tree: RatchetTree, committer: int) -> None:
            leaves = dict(tree.leaves())
            key = leaves[committer].signature_key
            if examined[key] >= MOST_EXAMINED:
                raise RemoteError("a member sends one Welcome after the other", rule="DESIGN §4 Admission")
            context = MeetingContext.of(extensions)
            if context.invitation.token != token:
                raise GroupRuleError(
                    "the Welcome leads into another meeting than the invitation's",
                    rule="DESIGN §4 Invitation",
                )
            check_joined(context, (leaves[committer],))
            examines.append(key)
            check_joined(context, leaves.values())

        def run() -> tuple[Group, MeetingContext]:
            attempt = KeyPackageBundle(bundle.key_package, bundle.init_key, bundle.leaf_key)
            group = Group.join(
                message.welcome,
                attempt,
                signer,
                auth=AcceptAny(),
                now=wall,
                inspect=inspect,
                max_leaves=self._max_leaves,
            )
            return group, MeetingContext.of(group.extensions)

        def done(result: tuple[Group, MeetingContext], now: float) -> None:
            if joined(*result, message.next_sequence, now):
                self.close()
            elif self._bundle is bundle:
                # Whoever made it need not hear of it again; another may answer the offer yet.
                self._message = self._unanswered_since = None
                self._is_resting = True
                self._failed.add(digest)

        def failed(error: Exception, _now: float) -> None:
            self._examined.update(examines)
            if len(self._failed) < MOST_FAILED:
                self._failed.add(digest)
            self._out.bad_input(error)
            if isinstance(error, GoneError) and self._bundle is bundle:
                self.close()
                again()

        self._out.exclusive_job(run, done, failed)

    def close(self) -> None:
        """Stop repeating, and erase the private keys."""
        self._wish = None
        if self._bundle is not None:
            self._bundle.close()
        self._bundle = self._signer = self._message = self._request = None
        self._is_resting = False
        self._unanswered_since = None
        self._failed.clear()
        self._examined.clear()
        self._times_said = 0

    @property
    def is_unanswered(self) -> bool:
        """Whether an offer has been repeated for so long that no group can be there to take it."""
        return self._bundle is not None and self._times_said >= UNANSWERED_AFTER

    def is_nobody_there(self, now: float) -> bool:
        """Whether no group can be there to take our offer, and we may found one in its place.

        A group that refuses it, or was just founded, is heard. But what is heard of a group outside of it
        anybody can forge who has the link: it counts for a while only. A guest never founds in a group's
        place: it may be that a person has still to let it in.
        """
        own, since = self._own.admission, self._unanswered_since
        is_fit = own is not None and (
            own.role is Role.HOST or (own.role is Role.MEMBER and not self._is_in_doubt)
        )
        if not (is_fit and self._own.may_found and since is not None) or self._out.is_busy:
            return False
        # By then a host has answered the request that goes with an offer that nobody takes.
        if now - since < ANSWER_S:
            return False
        is_silent = self.others_heard is None or now - self.others_heard > WINDOW_S
        return is_silent or (not self._is_resting and since is not None and now - since >= POSTPONED_S)

    @property
    def asks_too(self) -> bool:
        """Whether to ask while our offer stands: the admission in it may not do any more.

        A kick closes the link; a succession is good only while the key before it is in; who admitted us
        may have been thrown out, or we ourselves. The offer is refused without a word then, and only a
        host can say more.
        """
        return self.is_unanswered or (self._is_in_doubt and self.is_kept_waiting)

    @property
    def _is_in_doubt(self) -> bool:
        own = self._own.admission
        return own is not None and (
            origin(own).issuer_type is IssuerType.LINK or own.issuer_type is IssuerType.SUCCESSION
        )

    @property
    def is_kept_waiting(self) -> bool:
        """Whether what was asked for has not been answered for some seconds."""
        return self._times_said >= KEPT_WAITING_AFTER

    def _repeat(self, message: lobby.LobbyMessage, now: float) -> None:
        self._message = self._out.seal(message)
        self._times_said = 0
        self._repeat_at = now


def _first_issuer(admission: Admission) -> bytes:
    """The key of the host next to the invitation's signer in a checked admission's chain, or the signer's."""
    step = admission
    while step.issuer_admission is not None:
        step = step.issuer_admission
    return admission.issuer_key if step is admission else step.signature_key
