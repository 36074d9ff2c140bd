"""One meeting, seen from one device: the sans-IO state machine.

    CONNECTING --- the service is reached, the log is empty, we may found ------> FOUNDING
    CONNECTING --- the log has entries, or we may not found, no admission ------> ASKING
    CONNECTING --- the same, and we hold an admission --------------------------> OFFERING
    FOUNDING   --- our founding commit is the log's first entry ----------------> IN_GROUP
    FOUNDING   --- somebody else's is -----------------------------------------> OFFERING or ASKING
    ASKING     --- a host's Grant ----------------------------------------------> OFFERING
    OFFERING   --- a Welcome into the meeting we were invited to ---------------> IN_GROUP
    IN_GROUP   --- the service lost the log, or we lost our state --------------> CONNECTING
    any        --- we leave, are denied, are removed, or an own rule is broken -> ENDED

Bytes, values and `now` (monotonic seconds) go in; effects come out; every public method returns
the list of them. Three things can never happen here: two commits applied for one epoch; a
commit applied before the log has it; a message that fails a check changing the state.

The group changes only through the log, in its order. Heavy work on the group (staging and
making commits, joining) is one job at a time; while it runs, entries wait. Signing for requests,
grants, proposals and beacons are jobs too, and touch no ratchet: a message is protected here,
when its signature is there, and only if its epoch is still the present one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from conclaved.identity import Signer
from conclaved.meeting import lobby, own_rules
from conclaved.meeting.admission import (
    ADMISSION_EXTENSION,
    Admission,
    IssuerType,
    Role,
    check,
    issue,
)
from conclaved.meeting.agenda import Agenda, Plan
from conclaved.meeting.alive import BEACON_INTERVAL_S, Watch, beacons
from conclaved.meeting.desk import Desk
from conclaved.meeting.errors import GroupRuleError, LocalError, MeetingError, RemoteError
from conclaved.meeting.events import (
    Announce,
    BadInput,
    CarrierEvent,
    Changed,
    Connected,
    Disconnected,
    Effect,
    Ended,
    Entry,
    Leader,
    Live,
    Lobby,
    NewEpoch,
    Publish,
    PublishResult,
    Replay,
    SendLive,
    SendLobby,
    StartJob,
)
from conclaved.meeting.invitation import Level, SignedInvitation
from conclaved.meeting.link import NONCE_BYTES, LinkSecret
from conclaved.meeting.log import Log
from conclaved.meeting.meeting_context import MEETING_EXTENSION, MeetingContext
from conclaved.meeting.own_rules import OwnRules
from conclaved.meeting.roster import Assess, Participant, roster
from conclaved.meeting.rules import RemoveReason, admission_of, check_commit, check_tree, is_host
from conclaved.meeting.security_code import security_code
from conclaved.meeting.view import MeetingView, State
from conclaved.meeting.welcoming import is_welcome_for, read_offer
from conclaved.mls import (
    AcceptAny,
    AuthenticatedContent,
    CipherSuite,
    Commit,
    DecryptionFailed,
    Extension,
    Group,
    GroupContextExtensions,
    KeyPackageBundle,
    LeafNode,
    Lifetime,
    MlsError,
    OwnMessage,
    PendingCommit,
    Proposal,
    Remove,
    StagedCommit,
    WrongEpoch,
    X509Credential,
)
from conclaved.sframe import EXPORTER_LABEL, EpochKeys
from conclaved.sframe import CipherSuite as SframeSuite

SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
SFRAME_SUITE = SframeSuite.AES_128_GCM_SHA256_128
EXTENSION_TYPES = (MEETING_EXTENSION, ADMISSION_EXTENSION)

BATCH_S = 0.2
"""Joins and leaves that come within this time go into one commit."""
TAKEOVER_S = 2.0
"""How long the leader may leave work lying before the next in leaf order takes it."""
REPEAT_S = 2.0
"""How often a request or an offer is repeated: the lobby keeps nothing."""
PUBLISH_TIMEOUT_S = 5.0
GRACE_S = 10.0
"""How long an epoch's handshake keys are kept, to recognise a second commit for it."""
KEY_PACKAGE_LIFETIME_S = 24 * 3600
MAX_NOTICES = 8
MAX_WELCOMES = 256
MAX_SEEN = 8192
BEACON = b"\x01"


@dataclass(frozen=True, slots=True)
class OwnIdentity:
    """This device's key and certificate."""

    signer: Signer = field(repr=False)
    chain: tuple[bytes, ...] = field(repr=False)
    """DER, leaf first."""


@dataclass(slots=True)
class _Pending:
    """A commit of ours that the log does not have yet.

    What the log has at `expected` decides: this message, or the commit is dead. The service's
    answer to the publishing decides nothing.
    """

    commit: PendingCommit = field(repr=False)
    message: bytes = field(repr=False)
    expected: int
    published: float


class Session:
    """See the file's head. Not thread-safe: one owner calls it."""

    def __init__(
        self,
        invitation: SignedInvitation,
        link: LinkSecret,
        identity: OwnIdentity,
        assess: Assess,
        rules: OwnRules,
        *,
        random: Callable[[int], bytes],
        wall: Callable[[], int],
        now: float,
    ) -> None:
        """`random` gives that many random bytes, `wall` seconds since 1970, `now` is monotonic.

        Raises InvitationError when the invitation is not valid now, or breaks an own rule.
        """
        invitation.check_time(wall())
        rules.check_invitation(invitation, assess)
        self._invitation = invitation
        self._identity = identity
        self._assess = assess
        self._rules = rules
        self._random = random
        self._wall = wall
        self._sealer = link.sealer()
        self._link_key = link.link_key()
        self._state = State.CONNECTING
        self._admission: Admission | None = None
        self._request_id = random(lobby.REQUEST_ID_BYTES)
        self._desk = Desk(invitation.content)
        self._agenda = Agenda()
        self._log = Log()
        self._watch = Watch(now)
        self._group: Group | None = None
        self._context: MeetingContext | None = None
        self._past: list[tuple[float, Group]] = []
        self._seen: dict[bytes, None] = {}
        self._kicked_names: set[str] = set()
        self._unopened = ""
        self._bundle: KeyPackageBundle | None = None
        self._pending: _Pending | None = None
        self._own_proposals: dict[bytes, AuthenticatedContent] = {}
        self._welcomes: dict[bytes, bytes] = {}
        self._heard: frozenset[int] = frozenset()
        self._is_leader = False
        self._is_connected = False
        self._behind = ""
        self._code = ""
        self._code_epoch = 0
        self._code_reason = ""
        self._notices: list[str] = []
        self._alarms: list[str] = []
        self._next_token = 0
        self._next_job = 0
        self._jobs: dict[int, tuple[Callable[[Any, float], None], Callable[[Exception, float], None]]] = {}
        self._is_busy = False
        self._is_beacon_due_at = now
        self._is_signing_beacon = False
        self._repeat_at = now
        self._lobby_message: bytes | None = None
        self._effects: list[Effect] = []

    def __repr__(self) -> str:
        return f"Session({self._state.value}, {self._group!r}, {self._agenda!r}, {self._desk!r})"

    # -- what the device asks for ---------------------------------------------------------------

    def view(self) -> MeetingView:
        """What panel and D-Bus show."""
        content = self._invitation.content
        participants = self._participants()
        is_alone = len(participants) < 2
        return MeetingView(
            state=self._state,
            meeting_id=content.meeting_id,
            title=content.title,
            level=content.level.value,
            service=content.service,
            epoch=0 if self._group is None else self._group.epoch,
            suite=SUITE.name,
            code_epoch=self._code_epoch,
            code_reason="" if is_alone else self._code_reason,
            security_code="" if is_alone else self._code,
            participants=participants,
            lobby=self._desk.waiting() if self._is_host() else (),
            is_host=self._is_host(),
            behind=self._behind,
            notices=tuple(self._notices),
            alarms=tuple(self._alarms),
        )

    def leave(self, now: float) -> list[Effect]:
        """Leave. Where others remain, they get a proposal to remove us (RFC 9420 §12.1.3)."""
        group = self._group
        if self._state is State.IN_GROUP and group is not None and len(group.members) > 1:

            def signed(content: AuthenticatedContent, _: float) -> None:
                if self._group is group:
                    data = group.protect(content)
                    self._effects.append(Publish(self._token(), data))
                self._end("left the meeting")

            proposal = Remove(group.own_leaf_index)
            reason = bytes([RemoveReason.LEAVE])
            self._job(
                lambda: group.sign_proposal(proposal, reason),
                signed,
                lambda _e, _n: self._end("left the meeting"),
            )
        else:
            self._end("left the meeting")
        return self._drain(now)

    def admit(self, name_or_id: str, now: float) -> list[Effect]:
        """Let in one who waits, as a guest. Raises LocalError when that cannot be."""
        self._require_host()
        waiting = self._desk.find(name_or_id)
        obstacle = waiting.obstacle(self._invitation.content.level)
        if obstacle is not None:
            raise LocalError(
                f"{waiting.name} cannot be admitted: {obstacle}", hint="deny it, or trust its CA"
            )
        context, key = self._context, waiting.request.signature_key
        if context is not None and key in context.kicked:
            forgiven = replace(context, kicked=context.kicked - {key})
            self._propose(GroupContextExtensions((forgiven.extension(),)), b"")
        self._kicked_names.discard(waiting.verdict.name)
        self._grant(waiting.request, Role.GUEST)
        return self._drain(now)

    def deny(self, name_or_id: str, now: float) -> list[Effect]:
        """Turn away one who waits. Raises LocalError when nobody of that name does."""
        self._require_host()
        request = self._desk.find(name_or_id).request
        own = self._own_admission()
        meeting_id = self._invitation.content.meeting_id

        def signed(denial: lobby.Denial, _: float) -> None:
            self._desk.answered(request.request_id, denial)
            self._say(denial)

        self._job(
            lambda: lobby.deny(self._identity.signer, own, meeting_id, request.request_id),
            signed,
            self._job_broke,
        )
        return self._drain(now)

    def kick(self, leaf: int, now: float) -> list[Effect]:
        """Throw out a member: its key goes on the kicked list. Raises LocalError when we may not."""
        self._require_host()
        group, context = self._group, self._context
        if group is None or context is None or group.leaf(leaf) is None or leaf == group.own_leaf_index:
            raise LocalError("there is no such other member", hint="see: conclavectl meeting roster")
        leaves = self._leaves()
        by_link = frozenset(
            member.signature_key
            for member in leaves.values()
            if admission_of(member).issuer_type is IssuerType.LINK
        )
        after = context.kick(leaves[leaf].signature_key, by_link)
        reason = bytes([RemoveReason.KICK])
        self._propose(GroupContextExtensions((after.extension(),)), reason)
        self._propose(Remove(leaf), reason)
        return self._drain(now)

    def media_heard(self, leaf: int, epoch: int, now: float) -> list[Effect]:
        """A frame of `leaf` under `epoch`'s keys was authenticated."""
        if self._group is not None and epoch == self._group.epoch:
            self._mark_heard(leaf)
        return self._drain(now)

    def unknown_epoch_heard(self, now: float) -> list[Effect]:
        """A frame of an epoch that we do not have arrived."""
        self._watch.unknown_epoch(now)
        return self._drain(now)

    def trust_changed(self, now: float) -> list[Effect]:
        """The device's anchors or rules are others now: judge everybody anew."""
        self._apply_own_rules()
        self._changed()
        return self._drain(now)

    # -- what comes in --------------------------------------------------------------------------

    def handle(self, event: CarrierEvent, now: float) -> list[Effect]:
        """Something from the carrier."""
        if self._state is State.ENDED:
            return []
        match event:
            case Connected(head=head):
                self._on_connected(head, now)
            case Disconnected():
                self._is_connected = False
                self._watch.connection(False, now)
            case Entry(sequence=sequence, data=data):
                if self._log.arrive(sequence, data, now):
                    self._effects.append(Replay(self._log.next_sequence))
            case Lobby(data=data):
                self._on_lobby(data, now)
            case Live(data=data):
                self._on_live(data, now)
            case PublishResult(accepted=accepted):
                self._on_result(accepted)
            case Leader(is_self=is_self):
                self._is_leader = is_self
        return self._drain(now)

    def job_done(self, job_id: int, result: object, now: float) -> list[Effect]:
        """A job's result. One that nobody waits for any more is dropped, its secrets with it."""
        callbacks = self._jobs.pop(job_id, None)
        if callbacks is None or self._state is State.ENDED:
            _discard(result)
        else:
            callbacks[0](result, now)
        return self._drain(now)

    def job_failed(self, job_id: int, error: Exception, now: float) -> list[Effect]:
        """A job raised. Errors of MLS and of the meeting are expected; others end the session."""
        callbacks = self._jobs.pop(job_id, None)
        if callbacks is not None and self._state is not State.ENDED:
            callbacks[1](error, now)
        return self._drain(now)

    def tick(self, now: float) -> list[Effect]:
        """Time has passed; call it at `next_deadline()`, or more often."""
        return self._drain(now)

    def next_deadline(self, now: float) -> float:
        """When `tick` has something to do at the latest."""
        return now + 0.1 if self._agenda.since is not None else now + 0.5

    # -- the service is reached -----------------------------------------------------------------

    def _on_connected(self, head: int, now: float) -> None:
        self._is_connected = True
        self._watch.connection(True, now)
        if self._state is State.IN_GROUP:
            if head < self._log.next_sequence:
                self._restart("the conference service lost the meeting's log; joining anew")
            elif head > self._log.next_sequence:
                self._effects.append(Replay(self._log.next_sequence))
        if self._state is State.CONNECTING or (head == 0 and self._state is State.OFFERING):
            self._begin(head)
        self._effects.append(Announce(self._state is State.IN_GROUP))

    def _begin(self, head: int) -> None:
        """Found, offer or ask. Also when the service has forgotten a log that nobody uses."""
        self._log.start(head)
        own_key = self._identity.signer.public_key
        content = self._invitation.content
        if self._admission is None and own_key == self._invitation.signer_key:
            signer, meeting_id = self._identity.signer, content.meeting_id
            self._job(lambda: issue(signer, meeting_id, own_key, Role.HOST), self._admitted, self._job_broke)
        elif self._admission is None and content.is_open and content.level is Level.STANDARD:
            link_key, meeting_id = self._link_key, content.meeting_id
            self._job(
                lambda: issue(link_key, meeting_id, own_key, Role.GUEST, issuer_type=IssuerType.LINK),
                self._admitted,
                self._job_broke,
            )
        elif self._admission is None:
            self._ask()
        else:
            self._found_or_offer()

    def _admitted(self, admission: Admission, _now: float) -> None:
        self._admission = admission
        self._found_or_offer()

    def _found_or_offer(self) -> None:
        admission = self._own_admission()
        may_found = admission.role is Role.HOST or self._invitation.content.level is Level.STANDARD
        if self._log.next_sequence == 0 and self._log.is_drained and may_found:
            self._found()
        else:
            self._offer()

    def _found(self) -> None:
        """Make a group and its first commit; the log decides whether it is *the* group."""
        self._set_state(State.FOUNDING)
        signer, chain = self._identity.signer, self._identity.chain
        context = MeetingContext(self._invitation)
        group_id = self._random(32)
        lifetime, leaf_extensions = self._lifetime(), self._leaf_extensions()

        def run() -> tuple[Group, PendingCommit]:
            group = Group.create(
                SUITE,
                group_id,
                signer,
                X509Credential(chain),
                lifetime=lifetime,
                extension_types=EXTENSION_TYPES,
                leaf_extensions=leaf_extensions,
                extensions=(context.extension(),),
                auth=AcceptAny(),
            )
            return group, group.commit()

        def made(result: tuple[Group, PendingCommit], now: float) -> None:
            if self._state is not State.FOUNDING:
                _discard(result)
                return
            self._group, commit = result
            self._context = context
            self._publish_commit(commit, now)

        self._exclusive_job(run, made, self._job_broke)

    # -- asking and offering --------------------------------------------------------------------

    def _ask(self) -> None:
        """Ask the hosts for an admission; repeated until one answers."""
        if self._state is State.ASKING:
            return
        self._set_state(State.ASKING)
        signer, chain = self._identity.signer, self._identity.chain
        meeting_id, request_id = self._invitation.content.meeting_id, self._request_id
        self._job(
            lambda: lobby.request(signer, chain, meeting_id, request_id),
            self._repeat_from_now,
            self._job_broke,
        )

    def _offer(self) -> None:
        """Offer a KeyPackage that carries our admission; repeated until a Welcome comes."""
        if self._state is State.OFFERING:
            return
        self._set_state(State.OFFERING)
        signer, chain = self._identity.signer, self._identity.chain
        lifetime, leaf_extensions = self._lifetime(), self._leaf_extensions()

        def made(bundle: KeyPackageBundle, now: float) -> None:
            if self._bundle is not None:
                self._bundle.close()
            self._bundle = bundle
            self._repeat_from_now(lobby.Offer(bundle.key_package.encode()), now)

        self._job(
            lambda: KeyPackageBundle.generate(
                SUITE,
                signer,
                X509Credential(chain),
                lifetime=lifetime,
                extension_types=EXTENSION_TYPES,
                leaf_extensions=leaf_extensions,
            ),
            made,
            self._job_broke,
        )

    def _repeat_from_now(self, message: lobby.LobbyMessage, now: float) -> None:
        self._lobby_message = lobby.seal(message, self._sealer, self._random(NONCE_BYTES))
        self._repeat_at = now

    # -- the lobby ------------------------------------------------------------------------------

    def _on_lobby(self, data: bytes, now: float) -> None:
        try:
            message = lobby.unseal(data, self._sealer)
            match message:
                case lobby.Request() if self._is_host():
                    self._on_request(message, now)
                case lobby.Grant() if self._state is State.ASKING and message.request_id == self._request_id:
                    check(message.admission, self._identity.signer.public_key, self._invitation)
                    self._admission = message.admission
                    self._offer()
                case lobby.Denial() if self._state is State.ASKING and message.request_id == self._request_id:
                    lobby.check_denial(message, self._invitation)
                    self._end(
                        "a host did not let this room in", is_error=True, hint="ask the host, then join again"
                    )
                case lobby.Offer() if self._state is State.IN_GROUP:
                    self._on_offer(message, now)
                case lobby.WelcomeMessage() if self._state is State.OFFERING:
                    self._on_welcome(message)
                case _:
                    pass
        except (RemoteError, MlsError) as error:
            self._note_bad_input(error)

    def _on_request(self, request: lobby.Request, now: float) -> None:
        answer = self._desk.answer_to(request)
        if answer is not None:
            self._say(answer)
            return
        lobby.check_request(request, self._invitation.content.meeting_id)
        verdict = self._assess(request.chain, request.signature_key)
        is_kicked = verdict.name in self._kicked_names or (
            self._context is not None and request.signature_key in self._context.kicked
        )
        role = self._desk.role_without_asking(verdict, is_kicked)
        if role is not None:
            self._grant(request, role)
        elif self._desk.arrive(request, verdict, now):
            self._changed()

    def _grant(self, request: lobby.Request, role: Role) -> None:
        own = self._own_admission()
        is_root = own.signature_key == self._invitation.signer_key
        signer, meeting_id = self._identity.signer, self._invitation.content.meeting_id

        def signed(admission: Admission, _now: float) -> None:
            grant = lobby.Grant(request.request_id, admission)
            self._desk.answered(request.request_id, grant)
            self._say(grant)
            self._changed()

        self._job(
            lambda: issue(
                signer, meeting_id, request.signature_key, role, issuer_admission=None if is_root else own
            ),
            signed,
            self._job_broke,
        )

    def _on_offer(self, offer: lobby.Offer, now: float) -> None:
        key_package = read_offer(offer.key_package, SUITE, self._wall())
        reference = key_package.reference(SUITE)
        if reference in self._welcomes:
            self._effects.append(SendLobby(self._welcomes[reference]))
            return
        if reference in self._seen or self._context is None:
            return
        check_tree(self._context, (key_package.leaf_node,))
        self._agenda.offer(key_package, now)

    def _on_welcome(self, message: lobby.WelcomeMessage) -> None:
        bundle = self._bundle
        if bundle is None or self._is_busy or not is_welcome_for(message.welcome, bundle.key_package, SUITE):
            return
        signer, wall = self._identity.signer, self._wall()
        expected = self._invitation

        def run() -> tuple[Group, MeetingContext]:
            group = Group.join(message.welcome, bundle, signer, auth=AcceptAny(), now=wall)
            try:
                context = MeetingContext.of(group.extensions)
                if context.invitation.token != expected.token:
                    raise GroupRuleError(
                        "the Welcome leads into another meeting than the invitation's",
                        rule="DESIGN §4 Invitation",
                    )
                check_tree(context, (member.leaf_node for member in group.members))
            except MeetingError:
                group.close()
                raise
            return group, context

        def joined(result: tuple[Group, MeetingContext], now: float) -> None:
            group, context = result
            if self._state is not State.OFFERING:
                group.close()
                return
            self._bundle = None
            self._log.skip_to(message.next_sequence)
            self._effects.append(Replay(message.next_sequence))
            keys = frozenset(member.leaf_node.signature_key for member in group.members)
            self._enter(group, context, keys, frozenset(), "this room joined", is_code_epoch=True, now=now)

        def failed(error: Exception, now: float) -> None:
            self._bundle = None
            self._lobby_message = None
            self._note_bad_input(error)
            self._set_state(State.CONNECTING)
            self._offer()

        self._exclusive_job(run, joined, failed)

    # -- the log --------------------------------------------------------------------------------

    def _pump(self, now: float) -> None:
        """Take entries in order until one needs a job."""
        while not self._is_busy and self._state in (State.IN_GROUP, State.FOUNDING):
            entry = self._log.take()
            if entry is None:
                return
            self._on_entry(entry, now)

    def _on_entry(self, data: bytes, now: float) -> None:
        group = self._group
        if group is None:
            return
        pending = self._pending
        if pending is not None and data == pending.message:
            self._pending = None
            self._adopt_own(pending.commit, data, now)
            return
        if pending is not None and self._log.next_sequence > pending.expected:
            self._discard_pending()
        if self._state is State.FOUNDING:
            self._drop_group()
            self._set_state(State.CONNECTING)
            self._found_or_offer()
            return
        own = self._own_proposals.pop(data, None)
        try:
            content = own if own is not None else group.unprotect(data)
        except OwnMessage:
            return
        except WrongEpoch as error:
            self._on_wrong_epoch(data, error, now)
            return
        except MlsError as error:
            self._note_bad_input(error)
            return
        if isinstance(content.body, Commit):
            self._stage(group, content, data)
        else:
            self._agenda.propose(content, now)

    def _on_wrong_epoch(self, data: bytes, error: WrongEpoch, now: float) -> None:
        """A late or second commit is recognised with the keys of its own epoch, while they live."""
        if self._group is not None and error.epoch > self._group.epoch:
            self._watch.unknown_epoch(now)
            if self._unopened:
                self._restart(f"{self._unopened} made a commit that this room could not open; joining anew")
            return
        if hashlib.sha256(data).digest() in self._seen:
            return
        for _, past in self._past:
            if past.epoch != error.epoch:
                continue
            try:
                content = past.unprotect(data)
            except MlsError:
                return
            if isinstance(content.body, Commit):
                self._alarm(
                    f"a second commit for epoch {error.epoch} is in the log: the service, or a member, "
                    "is playing two sides; compare the security code"
                )

    def _stage(self, group: Group, content: AuthenticatedContent, data: bytes) -> None:
        context, proposals = self._context, self._agenda.proposals
        if context is None:
            return
        before = self._leaves()
        wall = self._wall()

        def run() -> tuple[StagedCommit, MeetingContext]:
            staged = group.stage(content, proposals, now=wall)
            try:
                after = check_commit(context, before, _leaves_of(staged.members), staged)
            except MeetingError:
                staged.discard()
                raise
            return staged, after

        def staged_well(result: tuple[StagedCommit, MeetingContext], now: float) -> None:
            staged, after = result
            if self._group is not group:
                staged.discard()
                return
            if staged.removes_us:
                staged.discard()
                self._on_removed(staged)
                return
            self._adopt(staged, after, before, data, now)

        def failed(error: Exception, _now: float) -> None:
            self._note_bad_input(error)
            if isinstance(error, DecryptionFailed):
                self._unopened = self._name_of(content.sender)

        self._exclusive_job(run, staged_well, failed)

    def _on_removed(self, staged: StagedCommit) -> None:
        is_kick = any(
            isinstance(item.proposal, Remove) and item.authenticated_data == bytes([RemoveReason.KICK])
            for item in staged.proposals
        )
        if is_kick:
            self._end("a host removed this room from the meeting", is_error=True, hint="ask the host")
        else:
            self._restart("this room was taken to have vanished; joining anew")

    # -- committing -----------------------------------------------------------------------------

    def _commit_if_due(self, now: float) -> None:
        group, context, since = self._group, self._context, self._agenda.since
        if (
            self._state is not State.IN_GROUP
            or group is None
            or context is None
            or since is None
            or self._is_busy
            or self._pending is not None
            or not self._is_connected
            or not self._log.is_drained
        ):
            return
        if now < since + BATCH_S + TAKEOVER_S * self._rank(group):
            return
        before = self._leaves()
        plan = self._agenda.plan(before, context, group.own_leaf_index)
        if not plan:
            return
        self._make_commit(group, context, before, plan)

    def _rank(self, group: Group) -> int:
        """0 for the leader; the others take over one after the other, in leaf order."""
        if self._is_leader:
            return 0
        leaving = {c.body.removed for c in self._agenda.proposals if isinstance(c.body, Remove)}
        staying = [m.leaf_index for m in group.members if m.leaf_index not in leaving]
        return 1 + sum(1 for index in staying if index < group.own_leaf_index)

    def _make_commit(
        self, group: Group, context: MeetingContext, before: dict[int, LeafNode], plan: Plan
    ) -> None:
        wall = self._wall()

        def run() -> PendingCommit:
            commit = group.commit(
                by_reference=plan.by_reference,
                by_value=plan.by_value,
                authenticated_data=plan.authenticated_data,
                now=wall,
            )
            try:
                check_commit(context, before, _leaves_of(commit.staged.members), commit.staged)
            except MeetingError:
                commit.discard()
                raise
            return commit

        def made(commit: PendingCommit, now: float) -> None:
            if self._group is not group or self._pending is not None:
                commit.discard()
                return
            self._publish_commit(commit, now)

        def failed(error: Exception, now: float) -> None:
            # One bad offer or proposal must not hold up the rest: start from what comes next.
            self._note_bad_input(error)
            self._agenda = Agenda()

        self._exclusive_job(run, made, failed)

    def _publish_commit(self, commit: PendingCommit, now: float) -> None:
        if self._group is None:
            commit.discard()
            return
        message = self._group.protect(commit.content)
        self._pending = _Pending(commit, message, self._log.next_sequence, now)
        self._effects.append(Publish(self._token(), message, self._log.next_sequence))

    def _on_result(self, accepted: bool) -> None:
        if not accepted:
            self._effects.append(Replay(self._log.next_sequence))

    def _adopt_own(self, commit: PendingCommit, data: bytes, now: float) -> None:
        context = self._context
        if context is None:
            commit.discard()
            return
        before = self._leaves()
        after = check_commit(context, before, _leaves_of(commit.staged.members), commit.staged)
        welcome = commit.welcome
        added = self._adopt(commit, after, before, data, now)
        if welcome is not None:
            sealed = lobby.seal(
                lobby.WelcomeMessage(self._log.next_sequence, welcome),
                self._sealer,
                self._random(NONCE_BYTES),
            )
            self._effects.append(SendLobby(sealed))
            for reference in added:
                while len(self._welcomes) >= MAX_WELCOMES:
                    del self._welcomes[next(iter(self._welcomes))]
                self._welcomes[reference] = sealed

    def _adopt(
        self,
        commit: StagedCommit | PendingCommit,
        after: MeetingContext,
        before: dict[int, LeafNode],
        data: bytes,
        now: float,
    ) -> tuple[bytes, ...]:
        """Take the next epoch. Returns the KeyPackageRefs of those who came in."""
        staged = commit.staged if isinstance(commit, PendingCommit) else commit
        joined = [item.proposal for item in staged.proposals if hasattr(item.proposal, "key_package")]
        references = tuple(add.key_package.reference(SUITE) for add in joined)
        added_keys = frozenset(add.key_package.leaf_node.signature_key for add in joined)
        removed = frozenset(index for index, _ in staged.removed)
        is_code_epoch = bool(staged.added) or any(
            old.credential != new.credential or old.signature_key != new.signature_key
            for _, old, new in staged.updated
        )
        previous = self._group
        group = commit.merge()
        if previous is not None:
            self._past.append((now + GRACE_S, previous))
        for seen in (hashlib.sha256(data).digest(), *references):
            self._see(seen)
        self._enter(group, after, added_keys, removed, "", is_code_epoch=is_code_epoch, now=now)
        self._tell_who_moved(staged, before)
        return references

    def _enter(
        self,
        group: Group,
        context: MeetingContext,
        added_keys: frozenset[bytes],
        removed: frozenset[int],
        reason: str,
        *,
        is_code_epoch: bool,
        now: float,
    ) -> None:
        """Everything that a new epoch means, at once (DESIGN §3)."""
        self._group, self._context = group, context
        self._heard = frozenset()
        self._unopened = ""
        self._own_proposals.clear()
        self._lobby_message = None
        self._agenda.next_epoch(added_keys, now)
        if self._state is not State.IN_GROUP:
            self._set_state(State.IN_GROUP)
            self._effects.append(Announce(True))
        leaves = self._leaves()
        hosts = frozenset(index for index, leaf in leaves.items() if is_host(leaf))
        others = beacons(hosts, frozenset(leaves)) - {group.own_leaf_index}
        self._watch.expect(others, now)
        self._watch.advanced()
        if is_code_epoch:
            self._code = security_code(group.epoch_authenticator)
            self._code_epoch = group.epoch
            self._code_reason = reason or self._who_joined(added_keys)
        self._effects.append(
            NewEpoch(
                EpochKeys(
                    epoch=group.epoch,
                    base_key=bytearray(group.export(EXPORTER_LABEL, b"", SFRAME_SUITE.parameters.nk)),
                    leaf_count=group.leaf_count,
                    own_leaf=group.own_leaf_index,
                    members=frozenset(leaves),
                    removed=removed,
                )
            )
        )
        self._apply_own_rules()
        self._changed()

    def _who_joined(self, added_keys: frozenset[bytes]) -> str:
        names = [
            f"{p.name} ({p.role.word}) joined" for p in self._participants() if p.signature_key in added_keys
        ]
        return ", ".join(names) or "a member's certificate changed"

    def _tell_who_moved(self, staged: StagedCommit, before: dict[int, LeafNode]) -> None:
        for item in staged.proposals:
            if isinstance(item.proposal, Remove):
                leaf = before[item.proposal.removed]
                names = roster(
                    [(item.proposal.removed, leaf)],
                    MeetingContext(self._invitation),
                    self._assess,
                    own_leaf=-1,
                )
                if item.authenticated_data == bytes([RemoveReason.KICK]):
                    self._kicked_names.add(names[0].name)
                word = {RemoveReason.KICK: "was removed by a host", RemoveReason.LEAVE: "left"}.get(
                    RemoveReason(item.authenticated_data[0])
                    if item.authenticated_data
                    else RemoveReason.LEAVE,
                    "was taken to have vanished",
                )
                self._notice(f"{names[0].name} {word}")

    # -- alive ----------------------------------------------------------------------------------

    def _on_live(self, data: bytes, now: float) -> None:
        group = self._group
        if group is None or self._state is not State.IN_GROUP:
            return
        try:
            content = group.unprotect(data)
        except OwnMessage:
            return
        except WrongEpoch as error:
            if error.epoch > group.epoch:
                self._watch.unknown_epoch(now)
            return
        except MlsError as error:
            self._note_bad_input(error)
            return
        if isinstance(content.body, bytes) and content.body[:1] == BEACON:
            self._watch.heard(content.sender, now)
            self._mark_heard(content.sender)

    def _beacon_if_due(self, now: float) -> None:
        group = self._group
        if self._state is not State.IN_GROUP or group is None or now < self._is_beacon_due_at:
            return
        leaves = self._leaves()
        hosts = frozenset(index for index, leaf in leaves.items() if is_host(leaf))
        if group.own_leaf_index not in beacons(hosts, frozenset(leaves)):
            return
        self._is_beacon_due_at = now + BEACON_INTERVAL_S
        if self._is_signing_beacon or len(leaves) < 2:
            return
        self._is_signing_beacon = True

        def signed(content: AuthenticatedContent, _now: float) -> None:
            self._is_signing_beacon = False
            if self._group is group:
                self._effects.append(SendLive(group.protect(content)))

        def failed(error: Exception, now: float) -> None:
            self._is_signing_beacon = False
            self._job_broke(error, now)

        self._job(lambda: group.sign_application(BEACON), signed, failed)

    def _mark_heard(self, leaf: int) -> None:
        if leaf not in self._heard:
            self._heard |= {leaf}
            self._changed()

    # -- time -----------------------------------------------------------------------------------

    def _drain(self, now: float) -> list[Effect]:
        """Do what is due, then hand out the effects."""
        if self._state is not State.ENDED:
            self._pump(now)
            self._commit_if_due(now)
            self._beacon_if_due(now)
            self._repeat_if_due(now)
            self._expire(now)
        effects, self._effects = self._effects, []
        return effects

    def _repeat_if_due(self, now: float) -> None:
        waits = self._state in (State.ASKING, State.OFFERING)
        if waits and self._lobby_message is not None and self._is_connected and now >= self._repeat_at:
            self._repeat_at = now + REPEAT_S
            self._effects.append(SendLobby(self._lobby_message))

    def _expire(self, now: float) -> None:
        for until, past in list(self._past):
            if now >= until:
                past.close()
                self._past.remove((until, past))
        pending = self._pending
        if pending is not None and now - pending.published > PUBLISH_TIMEOUT_S and self._is_connected:
            pending.published = now
            self._effects.append(Publish(self._token(), pending.message, pending.expected))
        if self._log.asks_again(now):
            self._effects.append(Replay(self._log.next_sequence))
        self._watch.gap(self._log.gap_since)
        if self._is_host() and self._desk.forget(now):
            self._changed()
        if self._state is State.IN_GROUP:
            behind = self._watch.reason_behind(now) or ""
            if behind != self._behind:
                self._behind = behind
                self._changed()
            if self._wall() >= self._invitation.content.not_after:
                self._end("the meeting's time is over")

    # -- small things ---------------------------------------------------------------------------

    def _apply_own_rules(self) -> None:
        if self._state is State.IN_GROUP:
            reason = self._rules.reason_to_leave(self._invitation, self._participants())
            if reason is not None:
                self._end(reason, is_error=True, hint=own_rules.HINT)

    def _participants(self) -> tuple[Participant, ...]:
        if self._group is None or self._context is None or self._state is not State.IN_GROUP:
            return ()
        return roster(
            self._leaves().items(),
            self._context,
            self._assess,
            own_leaf=self._group.own_leaf_index,
            heard=self._heard,
        )

    def _leaves(self) -> dict[int, LeafNode]:
        return {} if self._group is None else _leaves_of(self._group.members)

    def _is_host(self) -> bool:
        return (
            self._state is State.IN_GROUP
            and self._admission is not None
            and self._admission.role is Role.HOST
        )

    def _require_host(self) -> None:
        if not self._is_host():
            raise LocalError("only a host in the meeting can do that", hint="ask the host")

    def _own_admission(self) -> Admission:
        if self._admission is None:
            raise LocalError("this room has no admission yet")
        return self._admission

    def _lifetime(self) -> Lifetime:
        wall = self._wall()
        return Lifetime(wall - 3600, wall + KEY_PACKAGE_LIFETIME_S)

    def _leaf_extensions(self) -> tuple[Extension, ...]:
        return (Extension(ADMISSION_EXTENSION, self._own_admission().encode()),)

    def _propose(self, proposal: Proposal, authenticated_data: bytes) -> None:
        group = self._group
        if group is None:
            return

        def signed(content: AuthenticatedContent, _now: float) -> None:
            if self._group is group:
                data = group.protect(content)
                self._own_proposals[data] = content
                self._effects.append(Publish(self._token(), data))

        self._job(lambda: group.sign_proposal(proposal, authenticated_data), signed, self._job_broke)

    def _say(self, message: lobby.LobbyMessage) -> None:
        self._effects.append(SendLobby(lobby.seal(message, self._sealer, self._random(NONCE_BYTES))))

    def _token(self) -> int:
        self._next_token += 1
        return self._next_token

    def _job(
        self,
        run: Callable[[], object],
        done: Callable[[Any, float], None],
        failed: Callable[[Exception, float], None],
    ) -> None:
        self._next_job += 1
        self._jobs[self._next_job] = (done, failed)
        self._effects.append(StartJob(self._next_job, run))

    def _exclusive_job(
        self,
        run: Callable[[], object],
        done: Callable[[Any, float], None],
        failed: Callable[[Exception, float], None],
    ) -> None:
        """A job on the group: entries and commits wait until it is over."""
        self._is_busy = True

        def free_done(result: Any, now: float) -> None:
            self._is_busy = False
            done(result, now)

        def free_failed(error: Exception, now: float) -> None:
            self._is_busy = False
            failed(error, now)

        self._job(run, free_done, free_failed)

    def _job_broke(self, error: Exception, _now: float) -> None:
        self._end(f"this device could not do its part: {error}", is_error=True)

    def _note_bad_input(self, error: Exception) -> None:
        if not isinstance(error, MlsError | MeetingError):
            raise error
        self._effects.append(BadInput(error))

    def _see(self, digest: bytes) -> None:
        while len(self._seen) >= MAX_SEEN:
            del self._seen[next(iter(self._seen))]
        self._seen[digest] = None

    def _name_of(self, leaf: int) -> str:
        return next((p.name for p in self._participants() if p.leaf == leaf), "a member")

    def _discard_pending(self) -> None:
        if self._pending is not None:
            self._pending.commit.discard()
            self._pending = None

    def _drop_group(self) -> None:
        self._discard_pending()
        for _, past in self._past:
            past.close()
        self._past.clear()
        if self._group is not None:
            self._group.close()
        if self._bundle is not None:
            self._bundle.close()
        self._group = self._context = self._bundle = None
        self._heard = frozenset()
        self._behind = self._code = self._code_reason = ""
        self._code_epoch = 0
        self._agenda = Agenda()
        self._own_proposals.clear()
        self._welcomes.clear()

    def _restart(self, why: str) -> None:
        self._notice(why)
        self._drop_group()
        self._set_state(State.CONNECTING)

    def _end(self, reason: str, *, is_error: bool = False, hint: str = "") -> None:
        if self._state is State.ENDED:
            return
        self._drop_group()
        self._jobs.clear()
        self._set_state(State.ENDED)
        self._effects.append(Announce(False))
        self._effects.append(Ended(reason, is_error, hint))

    def _set_state(self, state: State) -> None:
        self._state = state
        self._changed()

    def _notice(self, text: str) -> None:
        self._notices = [*self._notices, text][-MAX_NOTICES:]
        self._changed()

    def _alarm(self, text: str) -> None:
        if text not in self._alarms:
            self._alarms = [*self._alarms, text][-MAX_NOTICES:]
            self._changed()

    def _changed(self) -> None:
        if not any(isinstance(effect, Changed) for effect in self._effects):
            self._effects.append(Changed())


def _leaves_of(members: tuple[Any, ...]) -> dict[int, LeafNode]:
    return {member.leaf_index: member.leaf_node for member in members}


def _discard(result: object) -> None:
    """Close the secrets in a result that nobody wants any more."""
    for item in result if isinstance(result, tuple) else (result,):
        if isinstance(item, StagedCommit | PendingCommit):
            item.discard()
        elif isinstance(item, Group | KeyPackageBundle):
            item.close()
