"""A member that keeps to no rule: the MLS of a real one, without the meeting above it.

An `Insider` is admitted and joins like any room. Then it does what the test says: commits, proposals,
offers, Welcomes that no honest device would make, over a real group that it shares with honest rooms.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conclaved.meeting import Admission, OwnIdentity, RemoteError, lobby
from conclaved.meeting.admission import ADMISSION_EXTENSION, Role
from conclaved.meeting.events import CarrierEvent, Entry, Lobby, Publish, SendLive, SendLobby
from conclaved.meeting.link import NONCE_BYTES
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.rules import RemoveReason
from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticatedContent,
    Commit,
    Extension,
    Group,
    KeyPackage,
    KeyPackageBundle,
    Lifetime,
    MlsError,
    OwnMessage,
    PendingCommit,
    Proposal,
    WireFormat,
    X509Credential,
)
from conclaved.mls.crypto import HpkeCiphertext, crypto_for
from conclaved.mls.message_protection import sign_content
from conclaved.mls.mls_message import MlsMessage
from conclaved.mls.update_path import UpdatePath
from conclaved.mls.welcome import Welcome
from tests.meeting.cast import bundle_of
from tests.meeting.simulated_service import EXTENSION_TYPES, SUITE, WALL, Meeting, SimulatedService, identity

KICK = bytes([RemoveReason.KICK])
LEAVE = bytes([RemoveReason.LEAVE])
VANISHED = bytes([RemoveReason.VANISHED])


@dataclass(eq=False)
class Insider:
    """See the file's head. It stands among the service's rooms as a `Room` does."""

    meeting: Meeting
    who: OwnIdentity
    admission: Admission
    service: SimulatedService
    group: Group | None = None
    pending: tuple[bytes, PendingCommit] | None = None
    proposals: list[AuthenticatedContent] = field(default_factory=list)
    own: dict[bytes, AuthenticatedContent] = field(default_factory=dict)
    kept: list[Group] = field(default_factory=list)
    heard: list[CarrierEvent] = field(default_factory=list)
    offers: list[KeyPackage] = field(default_factory=list)
    requests: list[lobby.Request] = field(default_factory=list)
    bundle: KeyPackageBundle | None = None
    is_connected: bool = True
    is_member: bool = False
    is_following: bool = True

    @classmethod
    def admit(
        cls,
        meeting: Meeting,
        role: Role = Role.MEMBER,
        *,
        who: OwnIdentity | None = None,
        admission: Admission | None = None,
        service: SimulatedService | None = None,
    ) -> "Insider":
        """One that the invitation's signer has admitted, or who brings its own admission."""
        who = who or identity("insider.example.com")
        own = admission or meeting.admission(who, role)
        made = cls(meeting, who, own, service or meeting.service)
        made.service.rooms.append(made)
        return made

    @property
    def live(self) -> Group:
        assert self.group is not None, "the insider is not in the group"
        return self.group

    @property
    def leaf(self) -> int:
        return self.live.own_leaf_index

    @property
    def context(self) -> MeetingContext:
        return MeetingContext.of(self.live.extensions)

    def is_in(self) -> bool:
        return self.group is not None

    def leaf_of(self, who: OwnIdentity) -> int:
        key = who.signer.public_key
        return next(m.leaf_index for m in self.live.members if m.leaf_node.signature_key == key)

    # -- on the way in --------------------------------------------------------------------------

    def offer(self, **options: Any) -> KeyPackage:
        """Offer a fresh KeyPackage with the admission in it."""
        self.bundle = bundle_of(self.who, self.admission, **options)
        self.say(lobby.Offer(self.bundle.key_package.encode()))
        return self.bundle.key_package

    def join(self) -> "Insider":
        """Come in by an honest member's commit."""
        self.offer()
        self.service.run(1)
        if self.group is None:
            self.service.run(4)
        assert self.group is not None
        return self

    def found(self, context: MeetingContext, group_id: bytes = b"") -> "Insider":
        """Found a group of its own, with these terms."""
        self.group = self.pending = None
        group = Group.create(
            SUITE,
            group_id or os.urandom(32),
            self.who.signer,
            X509Credential(self.who.chain),
            lifetime=Lifetime(WALL - 3600, WALL + 86400),
            extension_types=EXTENSION_TYPES,
            leaf_extensions=(Extension(ADMISSION_EXTENSION, self.admission.encode()),),
            extensions=(context.extension(),),
            auth=AcceptAny(),
        )
        pending = group.commit()
        data = group.protect(pending.content)
        self.group, self.pending = group, (data, pending)
        self.publish(data)
        self.service.settle()
        return self

    def welcome(self, *more: Proposal) -> None:
        """Take in everybody who has offered, and whom else the test wants."""
        offers = {offer.leaf_node.signature_key: offer for offer in self.offers}
        self.offers.clear()
        pending = self.commit([*map(Add, offers.values()), *more], enters=True)
        self.service.settle()
        if pending.welcome is not None:
            self.say(lobby.WelcomeMessage(len(self.service.log), pending.welcome))
        self.service.settle()

    # -- as the service's room ------------------------------------------------------------------

    def hear(self, event: CarrierEvent) -> None:
        self.heard.append(event)
        if not self.is_following:
            return
        match event:
            case Lobby(data):
                self._on_lobby(data)
            case Entry(_, data) if self.group is not None:
                self._on_entry(data)
            case _:
                pass

    def tick(self, now: float) -> None:
        pass

    def _on_lobby(self, data: bytes) -> None:
        try:
            message = lobby.unseal(data, self.meeting.link.sealer())
        except RemoteError:
            return
        if isinstance(message, lobby.Offer):
            self.offers.append(KeyPackage.decode(message.key_package))
        if isinstance(message, lobby.Request):
            self.requests.append(message)
        if isinstance(message, lobby.WelcomeMessage) and self.bundle is not None and self.group is None:
            content = MlsMessage.decode(message.welcome).content
            reference = self.bundle.key_package.reference(self.bundle_suite)
            if isinstance(content, Welcome) and any(s.new_member == reference for s in content.secrets):
                self.group = Group.join(message.welcome, self.bundle, self.who.signer, auth=AcceptAny())

    @property
    def bundle_suite(self) -> Any:
        assert self.bundle is not None
        return self.bundle.key_package.cipher_suite

    def _on_entry(self, data: bytes) -> None:
        group = self.live
        if self.pending is not None and data == self.pending[0]:
            self._enter(self.pending[1].merge())
            return
        try:
            content = self.own.pop(data, None) or group.unprotect(data)
            if not isinstance(content.body, Commit):
                self.proposals.append(content)
                return
            staged = group.stage(content, self.proposals)
        except (MlsError, OwnMessage):
            return
        if not staged.removes_us:
            self._enter(staged.merge())

    def _enter(self, group: Group) -> None:
        self.kept.append(self.live)
        self.group, self.pending = group, None
        self.proposals.clear()

    # -- what it does ---------------------------------------------------------------------------

    def say(self, message: lobby.LobbyMessage) -> None:
        sealed = lobby.seal(message, self.meeting.link.sealer(), os.urandom(NONCE_BYTES))
        self.service.take(self, SendLobby(sealed))

    def live_message(self, data: bytes) -> None:
        self.service.take(self, SendLive(data))

    def publish(self, data: bytes, expected: int | None = None) -> None:
        self.service.take(self, Publish(0, data, expected))

    def propose(self, proposal: Proposal, authenticated_data: bytes = b"") -> AuthenticatedContent:
        """A proposal into the log."""
        content = self.live.sign_proposal(proposal, authenticated_data)
        data = self.live.protect(content)
        self.own[data] = content
        self.publish(data)
        return content

    def make_commit(
        self,
        by_value: Sequence[Proposal] = (),
        *,
        by_reference: Sequence[AuthenticatedContent] = (),
        **options: Any,
    ) -> PendingCommit:
        return self.live.commit(by_value=by_value, by_reference=by_reference, **options)

    def commit(
        self,
        by_value: Sequence[Proposal] = (),
        *,
        by_reference: Sequence[AuthenticatedContent] = (),
        enters: bool = False,
        **options: Any,
    ) -> PendingCommit:
        """A commit into the log. The insider itself enters it if `enters`."""
        pending = self.make_commit(by_value, by_reference=by_reference, **options)
        data = self.live.protect(pending.content)
        if enters:
            self.pending = (data, pending)
        self.publish(data)
        return pending

    def with_bad_path(self, pending: PendingCommit) -> AuthenticatedContent:
        """The commit with path secrets that nobody can open, and a signature that holds."""
        body = pending.content.body
        assert isinstance(body, Commit)
        assert body.path is not None
        bad = HpkeCiphertext(body.path.nodes[0].encrypted_path_secret[0].kem_output, bytes(48))
        nodes = tuple(
            replace(node, encrypted_path_secret=(bad,) * len(node.encrypted_path_secret))
            for node in body.path.nodes
        )
        path = UpdatePath(body.path.leaf_node, nodes)
        content = replace(pending.content.content, body=Commit(body.proposals, path))
        wire_format, context = WireFormat.PRIVATE_MESSAGE, self.live.group_context.encode()
        signature = sign_content(crypto_for(SUITE), self.who.signer, wire_format, content, context)
        return AuthenticatedContent(wire_format, content, signature, pending.content.confirmation_tag)

    def with_bad_tag(self, pending: PendingCommit) -> AuthenticatedContent:
        """The commit with another confirmation tag, which is not signed."""
        good = pending.content
        return AuthenticatedContent(good.wire_format, good.content, good.signature, bytes(32))

    def add(self, who: OwnIdentity, *admissions: Admission) -> Add:
        return Add(bundle_of(who, *admissions).key_package)
