"""Every rule of RFC 9420 broken once: the typed error that names it, and a state that is as it was."""

import pytest

from conclaved.mls import Group, RemoteError, UnknownProposal
from tests.mls import broken_commits, broken_external_commits, broken_joins, broken_messages
from tests.mls.cast import NOW, Circle, all_bytes
from tests.mls.refusals import refusal


@pytest.fixture(scope="module")
def circle() -> Circle:
    # Nobody's group changes in these tests, which is what they are about: one circle serves all.
    return broken_commits.scene_of_the_crime()


@pytest.mark.parametrize("name", broken_commits.ROWS)
def test_a_commit_that_breaks_a_rule_is_refused_and_changes_nothing(circle: Circle, name: str) -> None:
    rule, bob, stage = broken_commits.attempt(circle, name)
    before = all_bytes(bob)
    assert rule == refusal(stage).rule
    assert all_bytes(bob) == before

    honest = circle["carol"].commit()
    bob.stage(bob.unprotect(circle["carol"].protect(honest.content))).discard()
    honest.discard()


LOCALLY_REFUSED = [
    name
    for name in broken_commits.ROWS
    if ("path" not in name or name.endswith("signature key")) and name not in broken_commits.OF_RECEIVERS
]


@pytest.mark.parametrize("name", LOCALLY_REFUSED)
def test_an_honest_committer_refuses_to_commit_it(circle: Circle, name: str) -> None:
    attempt, mallory = broken_commits.ROWS[name][0](circle), circle["mallory"]
    before = all_bytes(mallory)
    with pytest.raises(RemoteError, match="RFC"):
        mallory.commit(
            by_value=attempt.by_value,
            by_reference=attempt.by_reference,
            leaf=attempt.leaf,
            psks=broken_commits.PSKS,
            now=NOW,
            allow_reinit=attempt.allow_reinit,
        )
    assert all_bytes(mallory) == before


def test_a_proposal_of_an_unknown_type_is_refused(circle: Circle) -> None:
    mallory, bob = circle["mallory"], circle["bob"]
    message = mallory.protect(mallory.sign_proposal(UnknownProposal(0xF0F0, b"do as I say")))
    bob._secrets.secret_tree.ratchet(0, is_handshake=True)
    before = all_bytes(bob)
    assert refusal(lambda: bob.unprotect(message)).rule == "RFC 9420 §12.2"
    assert all_bytes(bob) == before
    with pytest.raises(RemoteError, match=r"§12\.2"):
        mallory.commit(by_value=[UnknownProposal(0xF0F0, b"do as I say")])


@pytest.mark.parametrize("name", broken_external_commits.ROWS)
def test_an_external_commit_that_breaks_a_rule_is_refused_and_changes_nothing(
    circle: Circle, name: str
) -> None:
    rule, bob, take_in = broken_external_commits.attempt(circle, name)
    before = all_bytes(bob)
    assert rule == refusal(take_in).rule
    assert all_bytes(bob) == before


@pytest.mark.parametrize("name", broken_messages.ROWS)
def test_a_message_that_breaks_a_rule_is_refused_and_changes_nothing(name: str) -> None:
    rule, bob, unprotect = broken_messages.attempt(name)
    before = all_bytes(bob)
    assert rule == refusal(unprotect).rule
    assert all_bytes(bob) == before


@pytest.mark.parametrize("name", broken_joins.ROWS)
def test_a_group_that_breaks_a_rule_is_not_joined_and_the_bundle_stays(name: str) -> None:
    rule, bundle, join = broken_joins.attempt(name)
    assert rule == refusal(join).rule
    assert repr(bundle) == "KeyPackageBundle(open)"


def test_only_what_is_broken_is_refused() -> None:
    assert isinstance(broken_joins.unbroken(), Group)
    assert isinstance(broken_external_commits.unbroken(), Group)
