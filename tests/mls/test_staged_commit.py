"""A Commit is looked at, then merged once or discarded; until then nothing has happened."""

import pytest

from conclaved.mls import (
    Add,
    AuthenticatedContent,
    BasicCredential,
    Credential,
    Extension,
    GoneError,
    Group,
    GroupContextExtensions,
    KeyPackageBundle,
    LeafChange,
    LocalError,
    RemoteError,
    Remove,
    Stage,
)
from conclaved.mls.kem import HpkePrivateKey
from tests.mls.cast import LIFETIME, NOW, PRIVATE_USE, SUITE, Circle, Person, fingerprint, received
from tests.mls.test_erasure import reachable


@pytest.fixture
def circle() -> Circle:
    return Circle("alice", "bob", "carol", "dave")


def test_committer_and_receivers_see_the_same_preview(circle: Circle) -> None:
    known = circle.send("dave", circle["dave"].update_proposal())
    newcomer = Person("erin").bundle()
    new_extensions = (Extension(PRIVATE_USE, b"new"),)
    pending = circle["alice"].commit(
        by_reference=known["alice"],
        by_value=[Remove(2), Add(received(newcomer)), GroupContextExtensions(new_extensions)],
        authenticated_data=b"data",
    )
    commit = circle["bob"].unprotect(circle["alice"].protect(pending.content))
    staged = circle["bob"].stage(commit, known["bob"])
    for preview in (pending.staged, staged):
        assert preview.committer == 0
        assert preview.epoch == 2
        assert preview.added == (2,)
        assert [(index, leaf.credential) for index, leaf in preview.removed] == [
            (2, BasicCredential(b"carol"))
        ]
        assert [index for index, _, _ in preview.updated] == [3, 0]
        assert all(old.encryption_key != new.encryption_key for _, old, new in preview.updated)
        assert preview.extensions == new_extensions
        assert preview.leaf_count == 4
        names = [member.leaf_node.credential for member in preview.members]
        assert names == [BasicCredential(name) for name in (b"alice", b"bob", b"erin", b"dave")]
        assert [(each.sender, each.by_reference) for each in preview.proposals] == [
            (3, True),
            (0, False),
            (0, False),
            (0, False),
        ]
        assert preview.proposals[1].authenticated_data == b"data"
        assert not preview.removes_us
    assert staged.members == pending.staged.members


def test_nothing_has_happened_before_merge(circle: Circle) -> None:
    alice, bob = circle["alice"], circle["bob"]
    before = fingerprint(alice), fingerprint(bob)
    pending = alice.commit()
    bob.stage(bob.unprotect(alice.protect(pending.content)))
    assert (fingerprint(alice), fingerprint(bob)) == before
    assert bob.unprotect(alice.protect(alice.sign_application(b"x"))).body == b"x"


def test_a_commit_is_merged_once(circle: Circle) -> None:
    pending = circle["alice"].commit()
    merged = pending.merge()
    with pytest.raises(GoneError):
        pending.merge()
    pending.discard()
    assert merged.stage_of_life is Stage.LIVE
    assert merged.epoch_authenticator


def test_a_discarded_commit_is_gone_and_the_group_goes_on(circle: Circle) -> None:
    alice = circle["alice"]
    pending = alice.commit()
    pending.discard()
    pending.discard()
    with pytest.raises(GoneError):
        pending.merge()
    circle.commit("alice")
    circle.assert_agreement()


def test_the_loser_of_an_epoch_cannot_merge_any_more(circle: Circle) -> None:
    alice, bob = circle["alice"], circle["bob"]
    mine, winner = alice.commit(), bob.commit()
    message = bob.protect(winner.content)
    following = alice.stage(alice.unprotect(message)).merge()
    with pytest.raises(GoneError):
        mine.merge()
    assert not any(isinstance(each, HpkePrivateKey) for each in reachable(mine))
    mine.discard()
    assert following.epoch_authenticator == winner.merge().epoch_authenticator


def test_two_commits_of_one_epoch_can_both_be_judged_before_one_is_merged(circle: Circle) -> None:
    alice, bob, carol = circle["alice"], circle["bob"], circle["carol"]
    first, second = (
        carol.stage(carol.unprotect(each.protect(each.commit().content))) for each in (alice, bob)
    )
    first.merge()
    with pytest.raises(GoneError):
        second.merge()


def test_a_second_commit_for_a_past_epoch_is_still_recognised(circle: Circle) -> None:
    alice, bob, carol = circle["alice"], circle["bob"], circle["carol"]
    fork = bob.protect(bob.commit().content)
    carol.stage(carol.unprotect(alice.protect(alice.commit().content))).merge()
    assert carol.unprotect(fork).sender == 1
    with pytest.raises(GoneError):
        carol.stage(bob.commit().content)


def test_the_removed_member_is_told_and_cannot_merge(circle: Circle) -> None:
    carol = circle["carol"]
    pending = circle["alice"].commit(by_value=[Remove(2)])
    staged = carol.stage(carol.unprotect(circle["alice"].protect(pending.content)))
    assert staged.removes_us
    assert [index for index, _ in staged.removed] == [2]
    with pytest.raises(LocalError):
        staged.merge()
    assert carol.stage_of_life is Stage.LIVE


def test_a_removed_member_reads_nothing_of_the_next_epoch(circle: Circle) -> None:
    carol = circle["carol"]
    circle.commit("alice", Remove(2))
    message = circle["bob"].protect(circle["bob"].sign_application(b"without carol"))
    with pytest.raises(RemoteError):
        carol.unprotect(message)


def test_a_commit_whose_signature_was_not_checked_is_checked(circle: Circle) -> None:
    content = circle["alice"].commit().content
    copied = AuthenticatedContent.decode(content.encode())
    assert copied.verified_in is None
    circle["bob"].stage(copied).discard()
    forged = AuthenticatedContent(
        copied.wire_format, copied.content, b"no signature", copied.confirmation_tag
    )
    with pytest.raises(RemoteError, match="signature"):
        circle["bob"].stage(forged)


def test_a_wrong_confirmation_tag_is_refused(circle: Circle) -> None:
    content = circle["alice"].commit().content
    forged = AuthenticatedContent(content.wire_format, content.content, content.signature, bytes(32))
    before = fingerprint(circle["bob"])
    with pytest.raises(RemoteError, match="confirmation tag"):
        circle["bob"].stage(forged)
    assert fingerprint(circle["bob"]) == before


def test_proposals_of_a_past_epoch_are_not_committed(circle: Circle) -> None:
    proposal = circle["bob"].sign_proposal(Remove(2))
    circle.commit("alice")
    with pytest.raises(LocalError):
        circle["alice"].commit(by_reference=[proposal])


class Refusing:
    """An authentication service that remembers what it was asked, and refuses one name."""

    def __init__(self, refused: bytes = b"") -> None:
        self.refused = BasicCredential(refused)
        self.asked: list[Credential] = []
        self.successions: list[tuple[Credential, Credential]] = []

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        self.asked.append(credential)
        if credential == self.refused:
            raise RemoteError("not trusted", rule="own rules")

    def validate_successor(self, old: Credential, new: Credential) -> None:
        self.successions.append((old, new))


def watched(auth: Refusing) -> tuple[Circle, Group]:
    """A circle of two, and a third member's group that asks `auth`."""
    circle, carol = Circle("alice", "bob"), Person("carol")
    bundle = carol.bundle()
    pending = circle["alice"].commit(by_value=[Add(received(bundle))])
    assert pending.welcome is not None
    group = Group.join(pending.welcome, bundle, carol.signer, auth=auth)
    circle.deliver("alice", pending)
    return circle, group


def test_each_new_credential_is_judged_once() -> None:
    auth = Refusing()
    circle, group = watched(auth)
    assert auth.asked == [BasicCredential(name) for name in (b"alice", b"bob", b"carol")]
    auth.asked.clear()
    newcomer = Person("dave").bundle()
    pending = circle["alice"].commit(by_value=[Add(received(newcomer))])
    following = group.stage(group.unprotect(circle["alice"].protect(pending.content)), now=NOW).merge()
    circle.deliver("alice", pending)
    assert auth.asked == [BasicCredential(b"dave")]
    auth.asked.clear()
    change = LeafChange(credential=BasicCredential(b"bobby"))
    pending = circle["bob"].commit(leaf=change)
    following.stage(following.unprotect(circle["bob"].protect(pending.content)))
    assert auth.asked == [BasicCredential(b"bobby")]
    assert auth.successions == [(BasicCredential(b"bob"), BasicCredential(b"bobby"))]


def test_what_the_authentication_service_refuses_does_not_happen() -> None:
    auth = Refusing(b"mallory")
    circle, group = watched(auth)
    newcomer = Person("mallory").bundle()
    pending = circle["alice"].commit(by_value=[Add(received(newcomer))])
    before = fingerprint(group)
    with pytest.raises(RemoteError, match="own rules"):
        group.stage(group.unprotect(circle["alice"].protect(pending.content)))
    with pytest.raises(RemoteError, match="own rules"):
        group.commit(by_value=[Add(received(newcomer))])
    assert fingerprint(group) == before


def test_a_group_with_a_member_that_is_refused_is_not_joined() -> None:
    circle, carol = Circle("alice", "mallory"), Person("carol")
    bundle = KeyPackageBundle.generate(
        SUITE, carol.signer, carol.credential, lifetime=LIFETIME, extension_types=[PRIVATE_USE]
    )
    pending = circle["alice"].commit(by_value=[Add(received(bundle))])
    assert pending.welcome is not None
    with pytest.raises(RemoteError, match="own rules"):
        Group.join(pending.welcome, bundle, carol.signer, auth=Refusing(b"mallory"))
