"""Our own library behind the interface of the other stacks' clients."""

import time

from conclaved.mls import (
    AcceptAny,
    AuthenticatedContent,
    BasicCredential,
    CipherSuite,
    ContentType,
    Credential,
    Group,
    GroupContextExtensions,
    KeyPackage,
    KeyPackageBundle,
    Lifetime,
    PendingCommit,
    PreSharedKey,
    PreSharedKeyID,
    SoftwareSigner,
    WireFormat,
    WrongEpoch,
    X509Credential,
    new_member_proposal,
    resumption_psk_key,
)
from conclaved.mls import Add as AddProposal
from conclaved.mls import Proposal as MlsProposal
from conclaved.mls import ReInit as ReInitProposal
from conclaved.mls import Remove as RemoveProposal
from conclaved.mls.group_info import GroupInfo
from conclaved.mls.leaf_node import PROTOCOL_VERSION
from conclaved.mls.mls_message import MlsMessage
from tests.peers.client import (
    PRIVATE_EXTENSION,
    Add,
    Basic,
    Commit,
    Extensions,
    Identity,
    Kind,
    Lineage,
    Proposal,
    Psk,
    Received,
    ReInit,
    Remove,
    Resumption,
    Update,
    View,
)
from tests.peers.peer import raw_key_pair

STACK = "conclave"
_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S


class OwnClient:
    """A client of `conclaved.mls`."""

    def __init__(self, suite: CipherSuite, identity: Identity, *, encrypts_handshake: bool) -> None:
        self.suite = suite
        self.credential: Credential
        if isinstance(identity, Basic):
            self.credential, self.signer = BasicCredential(identity.identity), SoftwareSigner.generate(suite)
        else:
            private_key, _ = raw_key_pair(identity.key)
            self.credential = X509Credential(identity.certificates)
            self.signer = SoftwareSigner.from_private_bytes(suite, private_key)
        self._wire_format = WireFormat.PRIVATE_MESSAGE if encrypts_handshake else WireFormat.PUBLIC_MESSAGE
        now = int(time.time())
        self.lifetime = Lifetime(now - _HOUR_S, now + 28 * _DAY_S)
        self._bundle: KeyPackageBundle | None = None
        self._group: Group | None = None
        self._before: Group | None = None
        """The epoch before, for late messages."""
        self._pending: PendingCommit | None = None
        self._proposals: list[AuthenticatedContent] = []
        self._psks: dict[bytes, bytes] = {}

    @property
    def stack(self) -> str:
        return STACK

    @property
    def group(self) -> Group:
        assert self._group is not None, "not in a group"
        return self._group

    def _enter(self, group: Group) -> None:
        self._psks[resumption_psk_key(group.group_id, group.epoch)] = group.resumption_psk
        self._before, self._group, self._pending, self._proposals = self._group, group, None, []

    def make_bundle(self) -> KeyPackageBundle:
        return KeyPackageBundle.generate(
            self.suite,
            self.signer,
            self.credential,
            lifetime=self.lifetime,
            extension_types=[PRIVATE_EXTENSION],
        )

    def key_package(self) -> bytes:
        self._bundle = self.make_bundle()
        return MlsMessage(self._bundle.key_package).encode()

    def create(self, group_id: bytes) -> None:
        self._enter(
            Group.create(
                self.suite,
                group_id,
                self.signer,
                self.credential,
                lifetime=self.lifetime,
                extension_types=[PRIVATE_EXTENSION],
                auth=AcceptAny(),
            )
        )

    def join(self, welcome: bytes) -> None:
        assert self._bundle is not None, "no KeyPackage"
        self._enter(
            Group.join(
                welcome, self._bundle, self.signer, psks=self._psks, auth=AcceptAny(), now=int(time.time())
            )
        )

    def join_externally(self, group_info: bytes, replaces: int | None = None) -> bytes:
        message, group = Group.join_externally(
            group_info,
            self.signer,
            self.credential,
            extension_types=[PRIVATE_EXTENSION],
            replaces=replaces,
            auth=AcceptAny(),
            now=int(time.time()),
        )
        self._enter(group)
        return message

    def propose_self(self, group_info: bytes) -> bytes:
        info = MlsMessage.decode(group_info).content
        assert isinstance(info, GroupInfo)
        self._bundle = self.make_bundle()
        context = info.group_context
        return new_member_proposal(context.group_id, context.epoch, self._bundle.key_package, self.signer)

    def group_info(self) -> bytes:
        return self.group.group_info(allow_external=True)

    def add_psk(self, psk_id: bytes, psk: bytes) -> None:
        self._psks[psk_id] = psk

    def _proposal(self, proposal: Add | Remove | Psk | Resumption | Extensions | ReInit) -> MlsProposal:
        match proposal:
            case Add(key_package):
                package = MlsMessage.decode(key_package).content
                assert isinstance(package, KeyPackage)
                return AddProposal(package)
            case Remove(leaf):
                return RemoveProposal(leaf)
            case Psk(psk_id):
                return PreSharedKey(PreSharedKeyID.external(self.suite, psk_id))
            case Resumption(epoch):
                return PreSharedKey(PreSharedKeyID.resumption(self.suite, self.group.group_id, epoch))
            case Extensions(extensions):
                return GroupContextExtensions(extensions)
            case ReInit(group_id):
                return ReInitProposal(group_id, PROTOCOL_VERSION, self.suite, ())

    def _send(self, content: AuthenticatedContent) -> bytes:
        if self._wire_format is WireFormat.PUBLIC_MESSAGE:
            return self.group.protect_public(content)
        return self.group.protect(content)

    def propose(self, proposal: Proposal) -> bytes:
        if isinstance(proposal, Update):
            content = self.group.update_proposal(wire_format=self._wire_format)
        else:
            content = self.group.sign_proposal(self._proposal(proposal), wire_format=self._wire_format)
        self._proposals.append(content)
        return self._send(content)

    def commit(self, proposals: list[Proposal]) -> Commit:
        by_value = []
        for each in proposals:
            assert not isinstance(each, Update), "an Update cannot be committed by its sender"
            by_value.append(self._proposal(each))
        self._pending = self.group.commit(
            by_reference=self._proposals,
            by_value=by_value,
            psks=self._psks,
            wire_format=self._wire_format,
            now=int(time.time()),
            allow_reinit=True,
        )
        return Commit(self._send(self._pending.content), self._pending.welcome)

    def merge(self) -> None:
        assert self._pending is not None, "no pending commit"
        self._enter(self._pending.merge())

    def discard(self) -> None:
        assert self._pending is not None, "no pending commit"
        self._pending.discard()
        self._pending = None

    def process(self, message: bytes) -> Received:
        try:
            content = self.group.unprotect(message, allow_outsiders=True)
        except WrongEpoch:
            if self._before is None:
                raise
            content = self._before.unprotect(message)
        if content.content_type is ContentType.APPLICATION:
            body = content.content.body
            assert isinstance(body, bytes)
            return Received(Kind.APPLICATION, body)
        if content.content_type is ContentType.PROPOSAL:
            self._proposals.append(content)
            return Received(Kind.PROPOSAL)
        staged = self.group.stage(
            content,
            self._proposals,
            psks=self._psks,
            now=int(time.time()),
            allow_external=True,
            allow_reinit=True,
        )
        if staged.removes_us:
            return Received(Kind.REMOVED)
        self._enter(staged.merge())
        return Received(Kind.COMMIT)

    def protect(self, data: bytes) -> bytes:
        return self.group.protect(self.group.sign_application(data))

    def continue_as(self, lineage: Lineage, group_id: bytes, key_packages: list[bytes]) -> bytes:
        old = self.group
        new = Group.create(
            self.suite,
            group_id,
            self.signer,
            self.credential,
            lifetime=self.lifetime,
            extension_types=[PRIVATE_EXTENSION],
            extensions=old.extensions if lineage is Lineage.BRANCH else (),
            auth=AcceptAny(),
        )
        adds = [self._proposal(Add(each)) for each in key_packages]
        pending = new.commit(by_value=adds, continues=old, now=int(time.time()))
        assert pending.welcome is not None
        self._enter(pending.merge())
        return pending.welcome

    def join_continuation(self, lineage: Lineage, welcome: bytes) -> None:
        assert self._bundle is not None, "no KeyPackage"
        old, now = self.group, int(time.time())
        self._enter(Group.join(welcome, self._bundle, self.signer, auth=AcceptAny(), now=now, continues=old))

    def export(self, label: str, context: bytes, length: int) -> bytes:
        return self.group.export(label, context, length)

    def view(self) -> View:
        members = tuple(
            (member.leaf_index, _who(member.leaf_node.credential)) for member in self.group.members
        )
        return View(
            self.group.epoch,
            self.group.epoch_authenticator,
            self.group.tree_hash,
            self.group.own_leaf_index,
            members,
        )


def _who(credential: Credential) -> bytes:
    if isinstance(credential, BasicCredential):
        return credential.identity
    assert isinstance(credential, X509Credential)
    return credential.certificates[0]
