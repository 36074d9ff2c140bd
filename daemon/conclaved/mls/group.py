"""Group: one member's view of one epoch of an MLS group.

A Group is a value. Its public half (`GroupState`) never changes; its secrets (`EpochSecrets`) are one
object with this one owner, and only `protect` and `unprotect` move anything in them: a ratchet. An epoch
ends by merging a Commit, which gives the next Group and retires this one:

    create or join --> LIVE --merge--> RETIRED --close--> CLOSED
                        |                 |
                        | everything      | unprotect only, for late messages of this epoch

What needs a secret that is no longer there raises GoneError. Whatever fails leaves the group as it was.
`commit` and `stage` are heavy and pure: they may run in another thread while messages flow.
"""

from collections.abc import Container, Iterable, Mapping, Sequence

from conclaved.mls.commit_creation import CommitOrder, create_commit
from conclaved.mls.commit_processing import NextEpoch, process_commit, signature_key_of
from conclaved.mls.credential import AuthenticationService, Credential, check_key_binding
from conclaved.mls.crypto import CipherSuite, Signer
from conclaved.mls.epoch import EpochSecrets, GroupState, Stage, UpdateKeys
from conclaved.mls.errors import LocalError, OwnMessage, RemoteError
from conclaved.mls.extension import Extension
from conclaved.mls.external_commit import Newcomer, join_externally, make_group_info
from conclaved.mls.framing import (
    AuthenticatedContent,
    Body,
    ContentType,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
    content_type_of,
)
from conclaved.mls.group_context import GroupContext
from conclaved.mls.joining import Inspect, found_group, join_group
from conclaved.mls.key_package import KeyPackageBundle
from conclaved.mls.key_schedule import export
from conclaved.mls.leaf_node import LeafChange, LeafNode, LeafNodeSource, Lifetime
from conclaved.mls.lineage import Lineage
from conclaved.mls.message_protection import (
    check_membership,
    check_wire_format,
    open_private,
    open_sender_data,
    protect_private,
    protect_public,
    sign_content,
    verify_content,
)
from conclaved.mls.mls_message import MlsMessage
from conclaved.mls.proposal import PreSharedKey, Proposal, ReInit, Update
from conclaved.mls.psk import PreSharedKeyID, ResumptionPskUsage
from conclaved.mls.ratchet_tree import MAX_LEAVES, check_in_tree
from conclaved.mls.single_owner import NotCopied
from conclaved.mls.staged_commit import Member, Pending, Staged, members_of
from conclaved.mls.validation import check_continues, check_group_goes_on, check_is_for_group
from conclaved.mls.working_ahead import Worker

_PAD_TO = 64
_NO_PSKS: Mapping[bytes, bytes] = {}


class Group(NotCopied):
    """One member's view of one epoch. Make one with `create` or `join`, the next with a Commit."""

    __slots__ = ("_members", "_secrets", "_state")

    def __init__(self, state: GroupState, secrets: EpochSecrets) -> None:
        self._state = state
        self._secrets = secrets
        self._members: tuple[Member, ...] | None = None

    @classmethod
    def create(
        cls,
        suite: CipherSuite,
        group_id: bytes,
        signer: Signer,
        credential: Credential,
        *,
        lifetime: Lifetime,
        extension_types: Iterable[int] = (),
        leaf_extensions: Iterable[Extension] = (),
        extensions: Iterable[Extension] = (),
        credential_types: Iterable[int] = (),
        auth: AuthenticationService,
    ) -> "Group":
        """Found a group of one, epoch 0 (RFC 9420 §11). `extensions` are the GroupContext's.

        `extension_types` and `credential_types` are further ones that this client supports. Raises
        RemoteError if the credential does not go with the signer's key or the extensions are malformed,
        LocalError for a signer of another suite and for a lifetime that ends before it begins.
        """
        found = found_group(
            suite,
            group_id,
            signer,
            credential,
            lifetime,
            extension_types,
            leaf_extensions,
            tuple(extensions),
            auth,
            credential_types,
        )
        return cls(*found)

    @classmethod
    def join(
        cls,
        welcome: bytes,
        bundle: KeyPackageBundle,
        signer: Signer,
        *,
        ratchet_tree: bytes | None = None,
        psks: Mapping[bytes, bytes] = _NO_PSKS,
        auth: AuthenticationService,
        now: int | None = None,
        continues: "Group | None" = None,
        inspect: Inspect | None = None,
        max_leaves: int = MAX_LEAVES,
        other_groups: Container[bytes] = (),
        worker: Worker | None = None,
    ) -> "Group":
        """Join by a Welcome, an encoded MLSMessage (RFC 9420 §12.4.3.1); consumes the bundle on success.

        `continues` is the old group where the new one is its reinitialisation or a subgroup of it; who is
        in it is for the caller to check. `other_groups` are the ids of the groups that this client is in:
        the new one must be none of them (§12.4.3). `inspect` may refuse
        the group by an error of its own, before a signature of every leaf in it is verified; a tree of more
        than `max_leaves` is refused before it takes memory.

        Every leaf is verified before there is a group; a `worker`, such as a ThreadPoolExecutor, takes a
        share of a large tree. Raises RemoteError for a Welcome or tree that
        breaks a rule, MissingPsk, LocalError without a tree, GoneError for a used bundle.
        """
        lineage = None if continues is None else continues.lineage
        return cls(
            *join_group(
                welcome,
                bundle,
                signer,
                ratchet_tree,
                psks,
                auth,
                now,
                lineage,
                inspect=inspect,
                max_leaves=max_leaves,
                other_groups=other_groups,
                worker=worker,
            )
        )

    @classmethod
    def join_externally(
        cls,
        group_info: bytes,
        signer: Signer,
        credential: Credential,
        *,
        extension_types: Iterable[int] = (),
        leaf_extensions: Iterable[Extension] = (),
        credential_types: Iterable[int] = (),
        replaces: int | None = None,
        psk_ids: Sequence[PreSharedKeyID] = (),
        psks: Mapping[bytes, bytes] = _NO_PSKS,
        ratchet_tree: bytes | None = None,
        auth: AuthenticationService,
        now: int | None = None,
        other_groups: Container[bytes] = (),
    ) -> tuple[bytes, "Group"]:
        """Join by an external Commit (RFC 9420 §12.4.3.2): the message to send, and the group.

        The group is in the new epoch, which begins only if the message is accepted: `close` it if not.
        `replaces` is the leaf of an old appearance of this client; with it, leave this group out of
        `other_groups`. Raises as `join` does.
        """
        newcomer = Newcomer(
            signer,
            credential,
            extension_types,
            tuple(leaf_extensions),
            replaces,
            psk_ids,
            credential_types,
            psks,
        )
        message, state, secrets = join_externally(group_info, newcomer, ratchet_tree, auth, now, other_groups)
        return message, cls(state, secrets)

    # What can be read

    @property
    def group_id(self) -> bytes:
        return self._state.context.group_id

    @property
    def epoch(self) -> int:
        return self._state.context.epoch

    @property
    def suite(self) -> CipherSuite:
        return self._state.crypto.suite

    @property
    def group_context(self) -> GroupContext:
        return self._state.context

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The GroupContext's extensions."""
        return self._state.context.extensions

    @property
    def own_leaf_index(self) -> int:
        return self._state.own_leaf

    @property
    def leaf_count(self) -> int:
        """Number of leaves with blank ones: the width of the tree, a power of two."""
        return self._state.tree.n_leaves

    @property
    def members(self) -> tuple[Member, ...]:
        """All members, by leaf index."""
        if self._members is None:
            self._members = members_of(self._state.tree)
        return self._members

    def leaf(self, index: int) -> LeafNode | None:
        """The leaf at an index; None where it is blank or outside the tree."""
        return self._state.tree.leaf(index)

    @property
    def tree_hash(self) -> bytes:
        return self._state.context.tree_hash

    @property
    def confirmed_transcript_hash(self) -> bytes:
        return self._state.context.confirmed_transcript_hash

    @property
    def ratchet_tree(self) -> bytes:
        """The tree as a `ratchet_tree` extension carries it, for a joiner that is sent it apart."""
        return self._state.tree.encode()

    @property
    def stage_of_life(self) -> Stage:
        """Live, retired or closed."""
        return self._secrets.stage

    # Secrets of the epoch

    @property
    def epoch_authenticator(self) -> bytes:
        """Equal for all members that share the epoch (RFC 9420 §8.7); GoneError unless live."""
        return bytes(self._secrets.keys.get("epoch_authenticator"))

    @property
    def resumption_psk(self) -> bytes:
        """Proof of membership in this epoch (RFC 9420 §8.6); GoneError unless live."""
        return bytes(self._secrets.keys.get("resumption_psk"))

    @property
    def reinit(self) -> ReInit | None:
        """The ReInit that has ended this group, if one has: nothing is sent in it any more."""
        return self._state.reinit

    @property
    def lineage(self) -> Lineage:
        """What a group that continues this one takes from it; GoneError unless live."""
        return Lineage(self.suite, self.group_id, self.epoch, self.reinit, self.resumption_psk)

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """MLS-Exporter (RFC 9420 §8.5): `length` bytes; GoneError unless live."""
        return export(self._state.crypto, self._secrets.keys.get("exporter_secret"), label, context, length)

    def group_info(self, *, allow_external: bool = False, with_ratchet_tree: bool = True) -> bytes:
        """This epoch's signed GroupInfo, an encoded MLSMessage; GoneError unless live.

        Whoever holds one made with `allow_external` can join by itself: hand it out accordingly. Without
        the tree in it, a joiner has to be sent `ratchet_tree` apart.
        """
        return make_group_info(
            self._state,
            self._secrets,
            allow_external=allow_external,
            with_ratchet_tree=with_ratchet_tree,
        )

    # Messages

    def sign_proposal(
        self,
        proposal: Proposal,
        authenticated_data: bytes = b"",
        *,
        wire_format: WireFormat = WireFormat.PRIVATE_MESSAGE,
    ) -> AuthenticatedContent:
        """A signed proposal, to be sent with `protect` or, if signed for it, `protect_public`. Pure.

        LocalError after a ReInit, and for another `wire_format` than these two; GoneError unless live.
        """
        return self._sign(proposal, authenticated_data, wire_format)

    def sign_application(self, data: bytes, authenticated_data: bytes = b"") -> AuthenticatedContent:
        """Signed application data, to be sent with `protect`. Pure.

        `authenticated_data` travels in the clear. LocalError after a ReInit; GoneError unless live.
        """
        return self._sign(bytes(data), authenticated_data, WireFormat.PRIVATE_MESSAGE)

    def _sign(self, body: Body, authenticated_data: bytes, wire_format: WireFormat) -> AuthenticatedContent:
        self._state.check_can_send()
        check_wire_format(wire_format)
        signer, context = self._secrets.signer, self._state.context.encode()
        if content_type_of(body) is ContentType.COMMIT:
            raise LocalError("a Commit is made with commit()")
        sender = Sender(SenderType.MEMBER, self.own_leaf_index)
        content = FramedContent(self.group_id, self.epoch, sender, authenticated_data, body)
        signature = sign_content(self._state.crypto, signer, wire_format, content, context)
        return AuthenticatedContent(wire_format, content, signature, None).mark_verified(context)

    def update_proposal(
        self,
        leaf: LeafChange | None = None,
        authenticated_data: bytes = b"",
        *,
        wire_format: WireFormat = WireFormat.PRIVATE_MESSAGE,
    ) -> AuthenticatedContent:
        """A signed Update with a fresh leaf key, whose private half this epoch's secrets keep.

        A member does not commit its own: send it, and another one does (RFC 9420 §12.1.2). LocalError for
        a new signer of another suite; RemoteError for a credential that does not go with its key.
        """
        crypto, change, signer = self._state.crypto, leaf or LeafChange(), self._secrets.signer
        old = check_in_tree(self._state.tree, self.own_leaf_index, "RFC 9420 §12.1.2")
        new_signer, key = change.signer or signer, crypto.generate_key_pair()
        crypto.check_signer(new_signer)
        unsigned = change.apply(old, LeafNodeSource.UPDATE, key.public_key, None)
        check_key_binding(crypto, unsigned.credential, unsigned.signature_key)
        signed = unsigned.sign(crypto, new_signer, self.group_id, self.own_leaf_index)
        message = self._sign(Update(signed), authenticated_data, wire_format)
        self._secrets.keep_update(key.public_key, UpdateKeys(key, new_signer))
        return message

    def _check_own(self, content: AuthenticatedContent) -> None:
        self._secrets.check_live()
        self._state.check_can_send()
        if content.content.group_id != self.group_id or content.epoch != self.epoch:
            raise LocalError("content of another group or epoch")
        if content.content.sender != Sender(SenderType.MEMBER, self.own_leaf_index):
            raise LocalError("content of another sender")

    def protect(self, content: AuthenticatedContent, *, padding: int | None = None) -> bytes:
        """Encrypt our own signed content: an encoded MLSMessage with a PrivateMessage.

        Takes a key from our ratchet. `padding` is a number of zero bytes; None fills up to a multiple of
        64 bytes, so that a size says less. LocalError for content that is not ours or of this epoch, or was
        signed for a PublicMessage; GoneError unless live.
        """
        self._check_own(content)
        crypto, keys = self._state.crypto, self._secrets.keys
        if padding is None:
            padding = -len(content.content.encode()) % _PAD_TO
        if padding < 0:
            raise LocalError("padding is a number of bytes, and not negative")
        is_handshake = content.content_type is not ContentType.APPLICATION
        if content.wire_format is not WireFormat.PRIVATE_MESSAGE:
            raise LocalError("the content was signed for another wire format")
        ratchet = self._secrets.secret_tree.ratchet(self.own_leaf_index, is_handshake=is_handshake)
        secret = keys.get("sender_data_secret")
        message = MlsMessage(protect_private(crypto, secret, ratchet.next(), content, padding)).encode()
        if is_handshake:
            self._secrets.remember_sent(crypto.hash(message))
        return message

    def protect_public(self, content: AuthenticatedContent) -> bytes:
        """Our own signed handshake content with a membership tag: an MLSMessage with a PublicMessage.

        LocalError for application data, content signed for a PrivateMessage, and what is not ours or of this
        epoch; GoneError unless live.
        """
        self._check_own(content)
        crypto, context = self._state.crypto, self._state.context.encode()
        key = self._secrets.keys.get("membership_key")
        message = MlsMessage(protect_public(crypto, key, content, context)).encode()
        self._secrets.remember_sent(crypto.hash(message))
        return message

    def claimed_sender(self, message: bytes) -> int:
        """The leaf that a PrivateMessage of this epoch says it is from: cheap, and proven by nothing.

        For a caller that counts messages before it opens them. Raises as `unprotect` does.
        """
        content = MlsMessage.decode(message).content
        if not isinstance(content, PrivateMessage):
            raise RemoteError("no PrivateMessage", rule="RFC 9420 §6")
        self._check_belongs(content.group_id, content.epoch)
        secret = self._secrets.keys.get("sender_data_secret")
        return open_sender_data(self._state.crypto, secret, content).leaf_index

    def unprotect(self, message: bytes, *, allow_outsiders: bool = False) -> AuthenticatedContent:
        """Decrypt and verify a message of this epoch, an encoded MLSMessage of either kind.

        A key is used up only when everything has been verified. Messages that no member sent (external
        proposals and Commits) are refused unless `allow_outsiders`. Raises WrongEpoch, RemoteError
        (DecodeError, DecryptionFailed, InvalidSignature among them), GoneError for a repeat or once closed,
        OwnMessage for an echo of what we sent.
        """
        content = MlsMessage.decode(message).content
        if isinstance(content, PrivateMessage):
            self._check_belongs(content.group_id, content.epoch)
            return self._unprotect_private(content, message)
        if isinstance(content, PublicMessage):
            framed = content.authenticated.content
            self._check_belongs(framed.group_id, framed.epoch)
            if framed.sender.type is not SenderType.MEMBER and not allow_outsiders:
                raise RemoteError("refused without allow_outsiders: not by a member", rule="RFC 9420 §12.1.8")
            return self._unprotect_public(content, message)
        raise RemoteError("neither PublicMessage nor PrivateMessage", rule="RFC 9420 §6")

    def _check_belongs(self, group_id: bytes, epoch: int) -> None:
        check_is_for_group(self._state.context, group_id, epoch)
        check_group_goes_on(self._state.reinit)

    def _unprotect_private(self, message: PrivateMessage, encoded: bytes) -> AuthenticatedContent:
        crypto, secrets = self._state.crypto, self._secrets
        sender_data = open_sender_data(crypto, secrets.keys.get("sender_data_secret"), message)
        leaf = check_in_tree(self._state.tree, sender_data.leaf_index, "RFC 9420 §6.3.2")
        if sender_data.leaf_index == self.own_leaf_index:
            # Any member can put our index there.
            if message.content_type is not ContentType.APPLICATION:
                self._check_we_sent(encoded)
            raise OwnMessage(message.epoch, message.content_type)
        opened = open_private(crypto, secrets.secret_tree, sender_data, message)
        context = self._state.context.encode()
        verify_content(crypto, leaf.signature_key, opened.message, context)
        opened.accept()
        return opened.message.mark_verified(context)

    def _check_we_sent(self, encoded: bytes) -> None:
        """Prevents a Commit that the others never saw from being taken for the echo of ours, and merged."""
        if not self._secrets.has_sent(self._state.crypto.hash(encoded)):
            raise RemoteError("a message in our name that we did not send", rule="RFC 9420 §6.1")

    def _unprotect_public(self, message: PublicMessage, encoded: bytes) -> AuthenticatedContent:
        authenticated, context = message.authenticated, self._state.context.encode()
        if authenticated.content_type is ContentType.APPLICATION:
            raise RemoteError("application data in a PublicMessage", rule="RFC 9420 §6")
        if authenticated.sender_type is SenderType.MEMBER:
            key = self._secrets.keys.get("membership_key")
            check_membership(self._state.crypto, key, message, context)
        public_key = signature_key_of(self._state, authenticated)
        verify_content(self._state.crypto, public_key, authenticated, context)
        if authenticated.content.sender == Sender(SenderType.MEMBER, self.own_leaf_index):
            # Any member can give our content another confirmation tag, which no signature covers.
            self._check_we_sent(encoded)
            raise OwnMessage(authenticated.epoch, authenticated.content_type)
        return authenticated.mark_verified(context)

    # Epochs

    def commit(
        self,
        *,
        by_reference: Sequence[AuthenticatedContent] = (),
        by_value: Sequence[Proposal] = (),
        force_path: bool = True,
        authenticated_data: bytes = b"",
        leaf: LeafChange | None = None,
        psks: Mapping[bytes, bytes] = _NO_PSKS,
        wire_format: WireFormat = WireFormat.PRIVATE_MESSAGE,
        now: int | None = None,
        allow_reinit: bool = False,
        continues: "Group | None" = None,
        with_ratchet_tree: bool = True,
        worker: Worker | None = None,
    ) -> "PendingCommit":
        """Make a Commit and its Welcome (RFC 9420 §12.4.1). Pure and heavy; touches no ratchet.

        Validates the list as every receiver will: RemoteError names the rule that a proposal breaks,
        MissingPsk the PSK that is not in `psks`, by `PreSharedKeyID.key`; this epoch's own need not be there.
        LocalError for a message of another epoch, GoneError unless live. There is a path where §12.4 wants
        one, or `leaf` changes, or `force_path`.
        `now`, in seconds since 1970, is what KeyPackage lifetimes are checked against, if given.
        `continues` is the old group, in the first Commit of one that reinitialises it or is a subgroup of
        it; the PSK that ties them is added by itself. Without `with_ratchet_tree` the Welcome has no tree,
        and joiners have to be sent the next epoch's `ratchet_tree` apart. A `worker` verifies a share of many
        KeyPackages.
        """
        usage = ResumptionPskUsage.APPLICATION
        if continues is not None:
            lineage = continues.lineage
            if self.epoch != 0:
                raise LocalError("only a new group can continue another one")
            check_continues(lineage, self.group_context)
            usage, identifier = lineage.usage, lineage.identifier(self.suite)
            by_value = [*by_value, PreSharedKey(identifier)]
            psks = {**psks, identifier.key: lineage.resumption_psk}
        order = CommitOrder(
            by_reference,
            by_value,
            force_path,
            authenticated_data,
            leaf,
            psks,
            wire_format,
            now,
            allow_reinit,
            usage,
            with_ratchet_tree,
            worker,
        )
        created = create_commit(self._state, self._secrets, order)
        return PendingCommit(created.content, created.welcome, self._staged(created.following))

    def stage(
        self,
        commit: AuthenticatedContent,
        proposals: Iterable[AuthenticatedContent] = (),
        *,
        psks: Mapping[bytes, bytes] = _NO_PSKS,
        now: int | None = None,
        allow_external: bool = False,
        allow_reinit: bool = False,
    ) -> "StagedCommit":
        """Validate another member's Commit wholly and compute the next epoch (RFC 9420 §12.4.2).

        `proposals` are the messages of this epoch that it may refer to, our own included. Pure and heavy.
        An external Commit is refused unless `allow_external`, a ReInit unless `allow_reinit`. Raises
        RemoteError, MissingPsk, OwnMessage for our own Commit, GoneError unless live.
        """
        following = process_commit(
            self._state,
            self._secrets,
            commit,
            proposals,
            psks,
            now,
            allow_external=allow_external,
            allow_reinit=allow_reinit,
        )
        return self._staged(following)

    def _staged(self, following: NextEpoch) -> "StagedCommit":
        group = None if following.secrets is None else Group(following.state, following.secrets)
        return StagedCommit(following.transition, self, group)

    def check_live(self) -> None:
        """GoneError unless this is the current epoch, with all its secrets."""
        self._secrets.check_live()

    def retire(self) -> None:
        """Drop all but what `unprotect` needs for late messages; idempotent. `merge` does this."""
        self._secrets.retire()

    def close(self) -> None:
        """Drop every secret; idempotent."""
        self._secrets.close()

    def __repr__(self) -> str:
        return (
            f"Group({self.group_id.hex()[:16]}, epoch {self.epoch}, leaf {self.own_leaf_index}, "
            f"{self._state.tree.n_members} members, {self._secrets.stage.value})"
        )


class StagedCommit(Staged[Group]):
    """What another member's Commit does, and the way into the epoch that follows it."""

    __slots__ = ()


class PendingCommit(Pending[Group]):
    """Our own Commit, to be merged once the delivery service has accepted it."""

    __slots__ = ()
    staged: StagedCommit
    """What the Commit does, as every other member will see it."""
