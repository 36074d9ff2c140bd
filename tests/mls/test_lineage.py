"""A group that continues another one: reinitialisation and subgroups (RFC 9420 §11.2, §11.3)."""

import pytest

from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticatedContent,
    CipherSuite,
    Extension,
    Group,
    KeyPackageBundle,
    LocalError,
    Proposal,
    ReInit,
    RemoteError,
    Remove,
    Sender,
    SenderType,
    SoftwareSigner,
    WireFormat,
)
from conclaved.mls.framing import FramedContent
from tests.mls.cast import LIFETIME, PRIVATE_USE, SUITE, Circle, fingerprint, received

NEW_SUITE = CipherSuite.MLS_256_DHKEMP384_AES256GCM_SHA384_P384
EXTENSIONS = (Extension(PRIVATE_USE, b"new policy"),)
REINIT = ReInit(b"new group", 1, NEW_SUITE, EXTENSIONS)


def ended(reinit: ReInit = REINIT) -> Circle:
    """A circle whose group has been ended by a ReInit."""
    circle = Circle("alice", "bob", "carol")
    pending = circle["alice"].commit(by_value=[reinit], allow_reinit=True)
    message = circle["alice"].protect(pending.content)
    for name in ("bob", "carol"):
        group = circle[name]
        circle.groups[name] = group.stage(group.unprotect(message), allow_reinit=True).merge()
    circle.groups["alice"] = pending.merge()
    return circle


def founded(circle: Circle, suite: CipherSuite, group_id: bytes, extensions: tuple[Extension, ...]) -> Group:
    signer = SoftwareSigner.generate(suite)
    credential = circle.people["bob"].credential
    return Group.create(
        suite, group_id, signer, credential, lifetime=LIFETIME, extensions=extensions, auth=AcceptAny()
    )


def invite(
    new: Group, names: list[str], circle: Circle, old: Group | None
) -> tuple[bytes, dict[str, tuple[KeyPackageBundle, SoftwareSigner]], Group]:
    """Make the new group's epoch 1 with those people in it."""
    bundles = {}
    for name in names:
        signer = SoftwareSigner.generate(new.suite)
        bundle = KeyPackageBundle.generate(
            new.suite,
            signer,
            circle.people[name].credential,
            lifetime=LIFETIME,
            extension_types=[PRIVATE_USE],
        )
        bundles[name] = bundle, signer
    adds: list[Proposal] = [Add(received(bundle)) for bundle, _ in bundles.values()]
    pending = new.commit(by_value=adds, continues=old)
    assert pending.welcome is not None
    return pending.welcome, bundles, pending.merge()


def test_a_group_goes_on_under_another_suite() -> None:
    circle = ended()
    assert circle["alice"].reinit == REINIT
    new = founded(circle, NEW_SUITE, b"new group", EXTENSIONS)
    welcome, bundles, bob = invite(new, ["alice", "carol"], circle, circle["bob"])
    for name, (bundle, signer) in bundles.items():
        joined = Group.join(welcome, bundle, signer, auth=AcceptAny(), continues=circle[name])
        assert joined.epoch_authenticator == bob.epoch_authenticator
        assert (joined.suite, joined.group_id, joined.epoch) == (NEW_SUITE, b"new group", 1)


def test_nothing_is_sent_in_a_group_that_has_ended() -> None:
    bob = ended()["bob"]
    for call in (
        lambda: bob.sign_application(b"x"),
        lambda: bob.sign_proposal(Remove(0)),
        lambda: bob.update_proposal(),
        lambda: bob.commit(),
        lambda: bob.group_info(allow_external=True),
    ):
        with pytest.raises(LocalError, match="reinitialised"):
            call()


def test_not_even_what_was_signed_by_other_means_is_sent_in_it() -> None:
    bob = ended()["bob"]
    content = FramedContent(bob.group_id, bob.epoch, Sender(SenderType.MEMBER, 1), b"", Remove(0))
    for wire_format, send in (
        (WireFormat.PRIVATE_MESSAGE, bob.protect),
        (WireFormat.PUBLIC_MESSAGE, bob.protect_public),
    ):
        with pytest.raises(LocalError, match="reinitialised"):
            send(AuthenticatedContent(wire_format, content, b"signature", None))


def test_a_reinit_is_refused_unless_asked_for() -> None:
    circle = Circle("alice", "bob")
    with pytest.raises(RemoteError, match="allow_reinit"):
        circle["alice"].commit(by_value=[REINIT])
    pending = circle["alice"].commit(by_value=[REINIT], allow_reinit=True)
    bob = circle["bob"]
    before = fingerprint(bob)
    commit = bob.unprotect(circle["alice"].protect(pending.content))
    with pytest.raises(RemoteError, match="allow_reinit"):
        bob.stage(commit)
    assert fingerprint(bob) == before


def test_a_reinit_stands_alone_and_leads_to_no_older_version() -> None:
    alice = Circle("alice", "bob")["alice"]
    with pytest.raises(RemoteError, match=r"§12\.2"):
        alice.commit(by_value=[REINIT, Remove(1)], allow_reinit=True)
    with pytest.raises(RemoteError, match=r"§12\.1\.5"):
        alice.commit(by_value=[ReInit(b"new", 0, SUITE, ())], allow_reinit=True)


@pytest.mark.parametrize(
    ("suite", "group_id", "extensions"),
    [(SUITE, b"new group", EXTENSIONS), (NEW_SUITE, b"other", EXTENSIONS), (NEW_SUITE, b"new group", ())],
)
def test_a_group_other_than_the_reinit_asks_for_does_not_continue_it(
    suite: CipherSuite, group_id: bytes, extensions: tuple[Extension, ...]
) -> None:
    circle = ended()
    new = founded(circle, suite, group_id, extensions)
    with pytest.raises(RemoteError, match=r"§11\.2"):
        new.commit(continues=circle["bob"])


def test_a_subgroup_is_tied_to_its_group() -> None:
    circle = Circle("alice", "bob", "carol")
    new = founded(circle, SUITE, b"subgroup", ())
    welcome, bundles, bob = invite(new, ["carol"], circle, circle["bob"])
    bundle, signer = bundles["carol"]
    with pytest.raises(RemoteError):
        Group.join(welcome, bundle, signer, auth=AcceptAny())
    with pytest.raises(RemoteError):
        Group.join(welcome, bundle, signer, auth=AcceptAny(), continues=Circle("x", "y", "carol")["carol"])
    joined = Group.join(welcome, bundle, signer, auth=AcceptAny(), continues=circle["carol"])
    assert joined.epoch_authenticator == bob.epoch_authenticator


def test_a_group_without_the_tie_does_not_pass_for_a_continuation() -> None:
    circle = Circle("alice", "bob", "carol")
    welcome, bundles, _ = invite(founded(circle, SUITE, b"subgroup", ()), ["carol"], circle, None)
    bundle, signer = bundles["carol"]
    with pytest.raises(RemoteError, match="do not agree"):
        Group.join(welcome, bundle, signer, auth=AcceptAny(), continues=circle["carol"])


def test_a_subgroup_has_the_suite_of_its_group_and_is_new() -> None:
    circle = Circle("alice", "bob", "carol")
    with pytest.raises(RemoteError, match=r"§11\.3"):
        founded(circle, NEW_SUITE, b"subgroup", ()).commit(continues=circle["bob"])
    with pytest.raises(LocalError):
        circle["alice"].commit(continues=circle["bob"])


def test_a_subgroup_does_not_bear_the_name_of_the_group_that_it_is_of() -> None:
    circle = Circle("alice", "bob", "carol")
    new = founded(circle, SUITE, circle["bob"].group_id, ())
    with pytest.raises(RemoteError, match=r"§12\.4\.3"):
        new.commit(continues=circle["bob"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("conclaved.mls.group.check_continues", lambda *_: None)
        welcome, bundles, _ = invite(new, ["carol"], circle, circle["bob"])
    with pytest.raises(RemoteError, match=r"§12\.4\.3"):
        Group.join(welcome, *bundles["carol"], auth=AcceptAny(), continues=circle["carol"])
