"""Outsiders: external Commits and proposals, refused unless one asks for them (RFC 9420 §12.4.3.2)."""

import pytest

from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticatedContent,
    Extension,
    ExtensionType,
    Group,
    LocalError,
    PreSharedKeyID,
    RemoteError,
    Remove,
    Sender,
    SenderType,
    SoftwareSigner,
    Update,
    WireFormat,
)
from conclaved.mls.codec import vector
from conclaved.mls.crypto import crypto_for
from conclaved.mls.extension import ExternalSender
from conclaved.mls.framing import FramedContent, PublicMessage
from conclaved.mls.message_protection import sign_content
from conclaved.mls.mls_message import MlsMessage
from conclaved.mls.proposal import Proposal
from tests.mls.cast import PRIVATE_USE, SUITE, Circle, Person, fingerprint, received


def enter(circle: Circle, by: str, name: str, **options: object) -> bytes:
    """Join by an external Commit that everybody lets in; gives the message."""
    person = circle.people.setdefault(name, Person(name))
    message, group = Group.join_externally(
        circle[by].group_info(allow_external=True),
        person.signer,
        person.credential,
        extension_types=[PRIVATE_USE],
        auth=AcceptAny(),
        **options,  # type: ignore[arg-type]
    )
    for other, theirs in list(circle.groups.items()):
        content = theirs.unprotect(message, allow_outsiders=True)
        psks = {b"psk": b"secret"}
        staged = theirs.stage(content, psks=psks, allow_external=True)
        assert staged.added == (group.own_leaf_index,)
        if staged.removes_us:
            del circle.groups[other]
        else:
            circle.groups[other] = staged.merge()
    circle.groups[name] = group
    return message


def test_a_newcomer_enters_and_takes_part() -> None:
    circle = Circle("alice", "bob", "carol", extensions=[Extension(PRIVATE_USE, b"policy")])
    enter(circle, "bob", "dave")
    enter(circle, "dave", "erin")
    circle.assert_agreement()
    circle.commit("erin")
    circle.commit("alice", Remove(3))
    circle.add("erin", "frank")
    circle.assert_agreement()


def test_a_client_takes_the_place_of_its_old_self() -> None:
    circle = Circle("alice", "bob", "carol")
    old = circle["carol"]
    enter(circle, "alice", "carol", replaces=2)
    circle.assert_agreement()
    assert circle["carol"] is not old
    assert [member.leaf_index for member in circle["alice"].members] == [0, 1, 2]


def test_a_psk_can_be_part_of_it() -> None:
    circle = Circle("alice", "bob")
    identifier = PreSharedKeyID.external(SUITE, b"psk")
    enter(circle, "bob", "carol", psk_ids=[identifier], psks={b"psk": b"secret"})
    circle.assert_agreement()


def test_it_is_refused_unless_asked_for() -> None:
    circle, dave = Circle("alice", "bob"), Person("dave")
    alice = circle["alice"]
    message, _ = Group.join_externally(
        alice.group_info(allow_external=True), dave.signer, dave.credential, auth=AcceptAny()
    )
    before = fingerprint(alice)
    with pytest.raises(RemoteError, match="not wanted"):
        alice.unprotect(message)
    content = alice.unprotect(message, allow_outsiders=True)
    with pytest.raises(RemoteError, match="not wanted"):
        alice.stage(content)
    with pytest.raises(LocalError):
        _ = content.sender
    assert fingerprint(alice) == before


def test_a_group_info_without_an_external_key_lets_nobody_in() -> None:
    circle, dave = Circle("alice", "bob"), Person("dave")
    with pytest.raises(RemoteError, match="allows no external"):
        Group.join_externally(circle["alice"].group_info(), dave.signer, dave.credential, auth=AcceptAny())


def test_a_member_does_not_enter_a_second_time() -> None:
    circle = Circle("alice", "bob")
    bob = circle.people["bob"]
    with pytest.raises(RemoteError, match=r"§7\.3"):
        Group.join_externally(
            circle["alice"].group_info(allow_external=True), bob.signer, bob.credential, auth=AcceptAny()
        )


def proposed(group: Group, signer: SoftwareSigner, sender: Sender, proposal: Proposal) -> bytes:
    """A proposal from outside, in a PublicMessage."""
    content = FramedContent(group.group_id, group.epoch, sender, b"", proposal)
    signature = sign_content(crypto_for(SUITE), signer, WireFormat.PUBLIC_MESSAGE, content, b"unused")
    message = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, signature, None)
    return MlsMessage(PublicMessage(message, None)).encode()


def with_external_sender(outsider: Person) -> Circle:
    sender = ExternalSender(outsider.signer.public_key, outsider.credential)
    data = vector([sender.encode()])
    return Circle("alice", "bob", "carol", extensions=[Extension(ExtensionType.EXTERNAL_SENDERS, data)])


def test_an_external_sender_may_propose_a_removal() -> None:
    outsider = Person("outsider")
    circle = with_external_sender(outsider)
    message = proposed(circle["alice"], outsider.signer, Sender(SenderType.EXTERNAL, 0), Remove(2))
    with pytest.raises(RemoteError, match="not wanted"):
        circle["alice"].unprotect(message)
    known = {name: [group.unprotect(message, allow_outsiders=True)] for name, group in circle.groups.items()}
    pending = circle["alice"].commit(by_reference=known["alice"])
    assert pending.staged.proposals[0].sender is None
    circle.deliver("alice", pending, known)
    circle.assert_agreement()
    assert list(circle.groups) == ["alice", "bob"]


def test_an_outsider_that_the_group_does_not_name_may_not() -> None:
    circle, outsider = Circle("alice", "bob", "carol"), Person("outsider")
    for index in (0, 5):
        sender = Sender(SenderType.EXTERNAL, index)
        message = proposed(circle["alice"], outsider.signer, sender, Remove(2))
        with pytest.raises(RemoteError, match=r"§6\.1"):
            circle["alice"].unprotect(message, allow_outsiders=True)


def test_an_external_sender_may_not_update() -> None:
    outsider = Person("outsider")
    circle = with_external_sender(outsider)
    leaf = outsider.bundle().key_package.leaf_node
    message = proposed(circle["alice"], outsider.signer, Sender(SenderType.EXTERNAL, 0), Update(leaf))
    content = circle["alice"].unprotect(message, allow_outsiders=True)
    with pytest.raises(RemoteError, match=r"§12\.1\.8"):
        circle["alice"].commit(by_reference=[content])


def test_a_newcomer_may_propose_its_own_add() -> None:
    circle, dave = Circle("alice", "bob"), Person("dave")
    bundle = dave.bundle()
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    message = proposed(circle["alice"], dave.signer, sender, Add(received(bundle)))
    known = {name: [group.unprotect(message, allow_outsiders=True)] for name, group in circle.groups.items()}
    pending = circle["alice"].commit(by_reference=known["alice"])
    circle.deliver("alice", pending, known)
    assert pending.welcome is not None
    circle.groups["dave"] = Group.join(pending.welcome, bundle, dave.signer, auth=AcceptAny())
    circle.assert_agreement()
    other = proposed(circle["alice"], dave.signer, sender, Remove(1))
    with pytest.raises(RemoteError, match=r"§6\.1"):
        circle["alice"].unprotect(other, allow_outsiders=True)
