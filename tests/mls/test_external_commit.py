"""Outsiders: external Commits and proposals, refused unless one asks for them (RFC 9420 §12.4.3.2)."""

from dataclasses import replace

import pytest

from conclaved.mls import (
    AcceptAny,
    BasicCredential,
    Credential,
    Extension,
    ExtensionType,
    Group,
    LocalError,
    MlsMessage,
    PreSharedKeyID,
    RemoteError,
    Remove,
)
from conclaved.mls.crypto import crypto_for
from conclaved.mls.group_info import GroupInfo
from tests.mls.cast import PRIVATE_USE, SUITE, Circle, Person, fingerprint


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


class Witness:
    """An authentication service that writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Credential]] = []

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        self.asked.append(("valid", credential))

    def validate_successor(self, old: Credential, new: Credential) -> None:
        self.asked.append(("successor", new))


def test_who_takes_a_place_is_valid_by_itself_before_it_is_judged_as_a_successor() -> None:
    witness = Witness()
    circle = Circle("alice", "bob", auth=witness)
    witness.asked.clear()
    bob = circle.people["bob"].credential = BasicCredential(b"bob, renamed")
    enter(circle, "alice", "bob", replaces=1)
    # By alice, and by bob's old self, whom the Commit removes.
    assert [kind for kind, credential in witness.asked if credential == bob] == ["valid", "successor"] * 2


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
    with pytest.raises(RemoteError, match="allow_outsiders"):
        alice.unprotect(message)
    content = alice.unprotect(message, allow_outsiders=True)
    with pytest.raises(RemoteError, match="allow_external"):
        alice.stage(content)
    with pytest.raises(LocalError):
        _ = content.sender
    assert fingerprint(alice) == before


def test_a_group_info_without_an_external_key_lets_nobody_in() -> None:
    circle, dave = Circle("alice", "bob"), Person("dave")
    with pytest.raises(RemoteError, match="allows no external"):
        Group.join_externally(circle["alice"].group_info(), dave.signer, dave.credential, auth=AcceptAny())


def test_another_message_than_a_group_info_lets_nobody_in() -> None:
    circle, dave = Circle("alice", "bob"), Person("dave")
    message = circle["alice"].protect(circle["alice"].sign_application(b"words"))
    with pytest.raises(RemoteError, match="no GroupInfo"):
        Group.join_externally(message, dave.signer, dave.credential, auth=AcceptAny())


def test_a_client_is_not_twice_in_a_group_of_one_id() -> None:
    circle, dave = Circle("alice", "bob"), Person("dave")
    info = circle["alice"].group_info(allow_external=True)
    with pytest.raises(RemoteError, match=r"§12\.4\.3"):
        Group.join_externally(
            info, dave.signer, dave.credential, auth=AcceptAny(), other_groups={circle["bob"].group_id}
        )


def test_external_senders_that_cannot_be_read_are_found_before_entering() -> None:
    circle, dave = Circle("alice", "bob"), Person("dave")
    alice = circle["alice"]
    context = replace(alice.group_context, extensions=(Extension(ExtensionType.EXTERNAL_SENDERS, b"\x05"),))
    info = MlsMessage.decode(alice.group_info(allow_external=True)).content
    assert isinstance(info, GroupInfo)
    forged = replace(info, group_context=context).sign(crypto_for(SUITE), circle.people["alice"].signer)
    with pytest.raises(RemoteError, match=r"§2\.1"):
        Group.join_externally(MlsMessage(forged).encode(), dave.signer, dave.credential, auth=AcceptAny())


def test_a_member_does_not_enter_a_second_time() -> None:
    circle = Circle("alice", "bob")
    bob = circle.people["bob"]
    with pytest.raises(RemoteError, match=r"§7\.3"):
        Group.join_externally(
            circle["alice"].group_info(allow_external=True), bob.signer, bob.credential, auth=AcceptAny()
        )


def test_a_tree_may_travel_apart_from_the_group_info() -> None:
    circle, dave = Circle("alice", "bob"), Person("dave")
    info = circle["alice"].group_info(allow_external=True, with_ratchet_tree=False)
    with pytest.raises(LocalError, match="no ratchet tree"):
        Group.join_externally(info, dave.signer, dave.credential, auth=AcceptAny())
    tree = circle["bob"].ratchet_tree
    _, group = Group.join_externally(info, dave.signer, dave.credential, ratchet_tree=tree, auth=AcceptAny())
    assert group.own_leaf_index == 2
