"""Proposals from outside: by external senders, and by who wants to be added (RFC 9420 §12.1.8)."""

import pytest

from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticatedContent,
    ExternalSender,
    Group,
    GroupContextExtensions,
    LocalError,
    PreSharedKey,
    PreSharedKeyID,
    RemoteError,
    Remove,
    Sender,
    SenderType,
    SoftwareSigner,
    Update,
    WireFormat,
    external_proposal,
    external_senders_extension,
    new_member_proposal,
)
from conclaved.mls.crypto import crypto_for
from conclaved.mls.framing import FramedContent, PublicMessage
from conclaved.mls.message_protection import sign_content
from conclaved.mls.mls_message import MlsMessage
from conclaved.mls.proposal import Proposal
from tests.mls.cast import SUITE, Circle, Person, received


def forged(group: Group, signer: SoftwareSigner, sender: Sender, proposal: Proposal) -> bytes:
    """A proposal from outside that the library's own functions would not make."""
    content = FramedContent(group.group_id, group.epoch, sender, b"", proposal)
    signature = sign_content(crypto_for(SUITE), signer, WireFormat.PUBLIC_MESSAGE, content, b"unused")
    message = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, signature, None)
    return MlsMessage(PublicMessage(message, None)).encode()


def with_external_sender(outsider: Person) -> Circle:
    sender = ExternalSender(outsider.signer.public_key, outsider.credential)
    return Circle("alice", "bob", "carol", extensions=[external_senders_extension([sender])])


def by(outsider: Person, group: Group, proposal: Proposal, index: int = 0) -> bytes:
    return external_proposal(SUITE, group.group_id, group.epoch, index, outsider.signer, proposal)


def received_by_all(circle: Circle, message: bytes) -> dict[str, list[AuthenticatedContent]]:
    return {name: [group.unprotect(message, allow_outsiders=True)] for name, group in circle.groups.items()}


def test_an_external_sender_may_propose_a_removal() -> None:
    outsider = Person("outsider")
    circle = with_external_sender(outsider)
    message = by(outsider, circle["alice"], Remove(2))
    with pytest.raises(RemoteError, match="allow_outsiders"):
        circle["alice"].unprotect(message)
    known = received_by_all(circle, message)
    pending = circle["alice"].commit(by_reference=known["alice"])
    assert pending.staged.proposals[0].sender is None
    circle.deliver("alice", pending, known)
    circle.assert_agreement()
    assert list(circle.groups) == ["alice", "bob"]


def test_it_may_propose_an_addition_a_psk_and_other_extensions_in_one_commit() -> None:
    outsider, dave = Person("outsider"), Person("dave")
    circle, bundle = with_external_sender(outsider), dave.bundle()
    alice, psks = circle["alice"], {b"psk": b"secret"}
    proposals: list[Proposal] = [
        Add(received(bundle)),
        PreSharedKey(PreSharedKeyID.external(SUITE, b"psk")),
        GroupContextExtensions(()),
    ]
    messages = [by(outsider, alice, proposal) for proposal in proposals]
    known = {
        name: [group.unprotect(message, allow_outsiders=True) for message in messages]
        for name, group in circle.groups.items()
    }
    pending = alice.commit(by_reference=known["alice"], psks=psks)
    circle.deliver("alice", pending, known, psks=psks)
    assert pending.welcome is not None
    circle.groups["dave"] = Group.join(pending.welcome, bundle, dave.signer, psks=psks, auth=AcceptAny())
    circle.assert_agreement()
    assert circle["dave"].extensions == ()


def test_an_outsider_that_the_group_does_not_name_may_not() -> None:
    circle, outsider = Circle("alice", "bob", "carol"), Person("outsider")
    for index in (0, 5):
        message = by(outsider, circle["alice"], Remove(2), index)
        with pytest.raises(RemoteError, match=r"§6\.1"):
            circle["alice"].unprotect(message, allow_outsiders=True)


def test_a_proposal_in_an_external_senders_name_needs_its_key() -> None:
    outsider, other = Person("outsider"), Person("other")
    circle = with_external_sender(outsider)
    with pytest.raises(RemoteError, match="signature"):
        circle["alice"].unprotect(by(other, circle["alice"], Remove(2)), allow_outsiders=True)


def test_an_external_sender_may_not_update() -> None:
    outsider = Person("outsider")
    circle = with_external_sender(outsider)
    update = Update(outsider.bundle().key_package.leaf_node)
    with pytest.raises(LocalError):
        by(outsider, circle["alice"], update)
    message = forged(circle["alice"], outsider.signer, Sender(SenderType.EXTERNAL, 0), update)
    with pytest.raises(RemoteError, match=r"§12\.1\.8"):
        circle["alice"].unprotect(message, allow_outsiders=True)


def test_a_newcomer_may_propose_its_own_add() -> None:
    circle, dave = Circle("alice", "bob"), Person("dave")
    alice, bundle = circle["alice"], dave.bundle()
    message = new_member_proposal(alice.group_id, alice.epoch, received(bundle), dave.signer)
    known = received_by_all(circle, message)
    pending = alice.commit(by_reference=known["alice"])
    circle.deliver("alice", pending, known)
    assert pending.welcome is not None
    circle.groups["dave"] = Group.join(pending.welcome, bundle, dave.signer, auth=AcceptAny())
    circle.assert_agreement()


def test_a_newcomer_may_propose_nothing_else_and_nobody_elses_add() -> None:
    circle, dave, erin = Circle("alice", "bob"), Person("dave"), Person("erin")
    alice, sender = circle["alice"], Sender(SenderType.NEW_MEMBER_PROPOSAL)
    with pytest.raises(RemoteError, match=r"§6\.1"):
        alice.unprotect(forged(alice, dave.signer, sender, Remove(1)), allow_outsiders=True)
    package = received(erin.bundle())
    with pytest.raises(LocalError):
        new_member_proposal(alice.group_id, alice.epoch, package, dave.signer)
    with pytest.raises(RemoteError, match="signature"):
        alice.unprotect(forged(alice, dave.signer, sender, Add(package)), allow_outsiders=True)


def test_a_proposal_from_outside_is_good_for_one_epoch() -> None:
    circle, dave = Circle("alice", "bob"), Person("dave")
    alice = circle["alice"]
    message = new_member_proposal(alice.group_id, alice.epoch, received(dave.bundle()), dave.signer)
    circle.commit("alice")
    with pytest.raises(RemoteError, match="epoch"):
        circle["bob"].unprotect(message, allow_outsiders=True)
