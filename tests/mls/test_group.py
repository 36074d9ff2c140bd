"""A group's life: who reads what, what a message costs, what is left after an epoch."""

import copy
import pickle
from dataclasses import replace

import pytest

from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticatedContent,
    BasicCredential,
    CipherSuite,
    Commit,
    ContentType,
    DecodeError,
    DecryptionFailed,
    Extension,
    GoneError,
    Group,
    GroupContextExtensions,
    InvalidSignature,
    LeafChange,
    Lifetime,
    LocalError,
    MissingPsk,
    MlsMessage,
    OwnMessage,
    PreSharedKey,
    PreSharedKeyID,
    ReInit,
    RemoteError,
    Remove,
    SenderType,
    SoftwareSigner,
    Stage,
    WireFormat,
    WrongEpoch,
    resumption_psk_key,
)
from conclaved.mls.crypto import crypto_for
from conclaved.mls.framing import PrivateMessage, PublicMessage
from conclaved.mls.message_protection import SenderData, protect_public
from tests.mls.cast import PRIVATE_USE, SUITE, Circle, Person, all_bytes, fingerprint, received


@pytest.fixture
def circle() -> Circle:
    return Circle("alice", "bob", "carol")


def test_a_founder_is_alone_in_epoch_0() -> None:
    group = Person("alice").found([Extension(PRIVATE_USE, b"policy")])
    assert (group.epoch, group.own_leaf_index, group.leaf_count, len(group.members)) == (0, 0, 1, 1)
    assert group.extensions == (Extension(PRIVATE_USE, b"policy"),)
    assert group.confirmed_transcript_hash == b""


def test_application_data_reaches_every_other_member(circle: Circle) -> None:
    bob = circle["bob"]
    message = bob.protect(bob.sign_application(b"hello", b"in the clear"))
    for name in ("alice", "carol"):
        got = circle[name].unprotect(message)
        assert (got.body, got.authenticated_data, got.sender) == (b"hello", b"in the clear", 1)
        assert (got.content_type, got.sender_type) == (ContentType.APPLICATION, SenderType.MEMBER)
    assert b"hello" not in message


def test_messages_are_read_in_any_order_and_each_once(circle: Circle) -> None:
    alice, bob = circle["alice"], circle["bob"]
    messages = [bob.protect(bob.sign_application(b"%d" % number)) for number in range(5)]
    for number in (4, 0, 2, 3, 1):
        assert alice.unprotect(messages[number]).body == b"%d" % number
    for message in messages:
        with pytest.raises(GoneError):
            alice.unprotect(message)


def test_padding_hides_the_size_and_is_the_sender_s_choice(circle: Circle) -> None:
    bob = circle["bob"]
    sizes = {len(bob.protect(bob.sign_application(bytes(n)), padding=200 - n)) for n in (1, 50, 63)}
    assert max(sizes) - min(sizes) <= 3  # the DER signature varies by a few bytes
    default = bob.protect(bob.sign_application(b"x"))
    assert circle["alice"].unprotect(default).body == b"x"


def test_our_own_message_is_recognised(circle: Circle) -> None:
    bob = circle["bob"]
    for message in (
        bob.protect(bob.sign_application(b"x")),
        bob.protect(bob.commit().content),
        bob.protect_public(bob.sign_proposal(Remove(0), wire_format=WireFormat.PUBLIC_MESSAGE)),
    ):
        with pytest.raises(OwnMessage) as echo:
            bob.unprotect(message)
        assert echo.value.epoch == bob.epoch
    with pytest.raises(OwnMessage):
        bob.stage(bob.commit().content)


def test_a_handshake_in_our_name_that_we_did_not_send_is_no_echo(circle: Circle) -> None:
    alice, bob = circle["alice"], circle["bob"]
    real = bob.commit()
    echo = bob.protect(real.content)
    forger = circle["carol"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "conclaved.mls.message_protection.SenderData",
            lambda _leaf, generation, guard: SenderData(1, generation, guard),
        )
        forged = forger.protect(forger.commit().content)
    for group in (alice, bob):
        with pytest.raises(RemoteError):
            group.unprotect(forged)
    with pytest.raises(OwnMessage):
        bob.unprotect(echo)


def test_our_own_commit_with_another_confirmation_tag_is_no_echo(circle: Circle) -> None:
    bob, carol = circle["bob"], circle["carol"]
    echo = bob.protect_public(bob.commit(wire_format=WireFormat.PUBLIC_MESSAGE).content)
    public = MlsMessage.decode(echo).content
    assert isinstance(public, PublicMessage)
    content = replace(public.authenticated, confirmation_tag=bytes(32))
    key, context = carol._secrets.keys.get("membership_key"), carol.group_context.encode()
    forged = MlsMessage(protect_public(crypto_for(SUITE), key, content, context)).encode()
    with pytest.raises(RemoteError, match=r"§6\.1"):
        bob.unprotect(forged)
    with pytest.raises(OwnMessage):
        bob.unprotect(echo)


@pytest.mark.parametrize("position", [0, 2, 5, 20, 60, 100, 150, -1])
def test_a_message_with_any_byte_changed_costs_the_honest_one_nothing(circle: Circle, position: int) -> None:
    alice, bob = circle["alice"], circle["bob"]
    message = bytearray(bob.protect(bob.sign_application(b"hello")))
    message[position] ^= 1
    before = fingerprint(alice)
    with pytest.raises(RemoteError):
        alice.unprotect(bytes(message))
    assert fingerprint(alice) == before
    message[position] ^= 1
    assert alice.unprotect(bytes(message)).body == b"hello"


def test_a_message_signed_by_another_member_is_refused_and_costs_no_key(circle: Circle) -> None:
    alice, bob, carol = circle["alice"], circle["bob"], circle["carol"]
    mine = bob.sign_application(b"hello")
    forged = carol.sign_application(b"hello")
    object.__setattr__(forged, "content", mine.content)
    with pytest.raises(InvalidSignature):
        alice.unprotect(bob.protect(forged))
    assert alice.unprotect(bob.protect(mine)).body == b"hello"


def test_padding_that_is_not_zero_is_refused(circle: Circle, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = circle["alice"], circle["bob"]
    with monkeypatch.context() as patch:
        auth = AuthenticatedContent.encode_auth
        patch.setattr(AuthenticatedContent, "encode_auth", lambda message: auth(message) + b"\x01")
        message = bob.protect(bob.sign_application(b"x"), padding=3)
    with pytest.raises(DecodeError, match=r"§6\.3\.1"):
        alice.unprotect(message)


def test_a_public_message_needs_the_membership_tag(circle: Circle) -> None:
    alice, bob = circle["alice"], circle["bob"]
    signed = bob.sign_proposal(Remove(2), b"why", wire_format=WireFormat.PUBLIC_MESSAGE)
    message = bob.protect_public(signed)
    assert alice.unprotect(message).body == Remove(2)
    public = MlsMessage.decode(message).content
    assert isinstance(public, PublicMessage)
    forged = MlsMessage(PublicMessage(public.authenticated, bytes(32))).encode()
    with pytest.raises(RemoteError, match=r"§6\.2"):
        alice.unprotect(forged)


def test_application_data_is_never_public(circle: Circle) -> None:
    alice, bob = circle["alice"], circle["bob"]
    with pytest.raises(LocalError):
        bob.protect_public(bob.sign_application(b"x"))
    message = MlsMessage(PublicMessage(bob.sign_application(b"x"), bytes(32))).encode()
    with pytest.raises(RemoteError, match="application"):
        alice.unprotect(message)


def test_content_goes_out_only_as_it_was_signed(circle: Circle) -> None:
    bob = circle["bob"]
    private = bob.sign_proposal(Remove(2))
    public = bob.sign_proposal(Remove(2), wire_format=WireFormat.PUBLIC_MESSAGE)
    with pytest.raises(LocalError):
        bob.protect_public(private)
    with pytest.raises(LocalError):
        bob.protect(public)
    with pytest.raises(LocalError):
        circle["alice"].protect(private)


def test_garbage_is_a_remote_error(circle: Circle) -> None:
    alice = circle["alice"]
    for data in (b"", b"\x00", b"\x00\x01\x00\x02", b"\x00\x02\x00\x02", bytes(100), b"\xff" * 100):
        with pytest.raises(RemoteError):
            alice.unprotect(data)
    with pytest.raises(RemoteError):
        alice.unprotect(MlsMessage(Person("d").bundle().key_package).encode())


def test_an_epoch_s_messages_are_read_in_it_and_its_retired_group_only(circle: Circle) -> None:
    alice, bob = circle["alice"], circle["bob"]
    late = bob.protect(bob.sign_application(b"late"))
    later = bob.protect(bob.sign_application(b"later still"))
    circle.commit("carol")
    with pytest.raises(WrongEpoch) as wrong:
        circle["alice"].unprotect(late)
    assert (wrong.value.epoch, wrong.value.current) == (1, 2)
    assert alice.stage_of_life is Stage.RETIRED
    assert alice.unprotect(late).body == b"late"
    alice.close()
    with pytest.raises(GoneError):
        alice.unprotect(later)


def test_a_retired_group_can_do_nothing_else(circle: Circle) -> None:
    alice = circle["alice"]
    ready = alice.sign_application(b"ready")
    circle.commit("bob")
    for call in (
        lambda: alice.sign_application(b"x"),
        lambda: alice.sign_proposal(Remove(1)),
        lambda: alice.protect(ready),
        lambda: alice.commit(),
        lambda: alice.update_proposal(),
        lambda: alice.export("label", b"", 16),
        lambda: alice.epoch_authenticator,
        lambda: alice.resumption_psk,
    ):
        with pytest.raises(GoneError, match="the epoch is over"):
            call()


def test_a_message_of_another_group_is_refused(circle: Circle) -> None:
    other = Circle("dave", "erin")
    message = other["dave"].protect(other["dave"].sign_application(b"x"))
    parsed = MlsMessage.decode(message).content
    assert isinstance(parsed, PrivateMessage)
    # Same group id and epoch: only the keys differ.
    with pytest.raises(DecryptionFailed):
        circle["alice"].unprotect(message)


def test_a_proposal_by_reference_is_applied_for_everybody(circle: Circle) -> None:
    known = circle.send("carol", circle["carol"].sign_proposal(Remove(1), b"because"))
    pending = circle["alice"].commit(by_reference=known["alice"])
    (proposal,) = pending.staged.proposals
    assert (proposal.sender, proposal.by_reference, proposal.authenticated_data) == (2, True, b"because")
    circle.deliver("alice", pending, known)
    assert "bob" not in circle.groups
    circle.assert_agreement()
    assert [member.leaf_index for member in circle["carol"].members] == [0, 2]


def test_an_update_by_reference_gives_its_sender_a_new_key(circle: Circle) -> None:
    old = circle["alice"].leaf(2)
    known = circle.send("carol", circle["carol"].update_proposal())
    circle.deliver("alice", circle["alice"].commit(by_reference=known["alice"]), known)
    circle.assert_agreement()
    new = circle["alice"].leaf(2)
    assert old is not None
    assert new is not None
    assert old.encryption_key != new.encryption_key
    # Carol can read what is encrypted to the new key, and others what she commits.
    circle.commit("bob")
    circle.commit("carol")
    circle.assert_agreement()


@pytest.mark.parametrize("by_proposal", [False, True])
def test_a_member_changes_its_key_and_credential(circle: Circle, by_proposal: bool) -> None:
    signer = SoftwareSigner.generate(SUITE)
    change = LeafChange(signer, BasicCredential(b"carol renewed"), (Extension(0xF002, b"new"),))
    if by_proposal:
        known = circle.send("carol", circle["carol"].update_proposal(change))
        circle.deliver("alice", circle["alice"].commit(by_reference=known["alice"]), known)
    else:
        circle.deliver("carol", circle["carol"].commit(leaf=change))
    circle.assert_agreement()
    leaf = circle["bob"].leaf(2)
    assert leaf is not None
    assert leaf.signature_key == signer.public_key
    assert leaf.credential == BasicCredential(b"carol renewed")
    assert leaf.extensions == (Extension(0xF002, b"new"),)
    # Her next messages and Commits are signed by the new key.
    message = circle["carol"].protect(circle["carol"].sign_application(b"still me"))
    assert circle["alice"].unprotect(message).body == b"still me"
    circle.add("carol", "dave")
    circle.assert_agreement()


def test_group_context_extensions_are_replaced_for_all(circle: Circle) -> None:
    new = (Extension(PRIVATE_USE, b"second policy"),)
    circle.commit("bob", GroupContextExtensions(new))
    circle.assert_agreement()
    assert all(group.extensions == new for group in circle.groups.values())


def test_a_psk_changes_the_epoch_for_those_who_have_it(circle: Circle) -> None:
    psks = {b"psk": b"secret"}
    proposal = PreSharedKey(PreSharedKeyID.external(SUITE, b"psk"))
    pending = circle["alice"].commit(by_value=[proposal], psks=psks)
    message = circle["alice"].protect(pending.content)
    bob = circle["bob"]
    commit = bob.unprotect(message)
    with pytest.raises(RemoteError, match="confirmation tag"):
        bob.stage(commit, psks={b"psk": b"another"})
    joined = bob.stage(commit, psks=psks).merge()
    assert joined.epoch_authenticator == pending.merge().epoch_authenticator


def test_a_resumption_psk_of_a_past_epoch_is_looked_up_by_group_and_epoch(circle: Circle) -> None:
    old = circle["alice"]
    psks = {resumption_psk_key(old.group_id, old.epoch): old.resumption_psk}
    identifier = PreSharedKeyID.resumption(SUITE, old.group_id, old.epoch)
    circle.commit("bob")
    circle.commit("carol", PreSharedKey(identifier), psks=psks)
    now = circle["alice"]
    current = PreSharedKeyID.resumption(SUITE, now.group_id, now.epoch)
    circle.commit("carol", PreSharedKey(current))  # the current epoch's is always there
    circle.assert_agreement()


def test_a_resumption_psk_goes_by_no_external_name(circle: Circle) -> None:
    bob = circle["bob"]
    key = resumption_psk_key(bob.group_id, bob.epoch)
    named = PreSharedKey(PreSharedKeyID.external(SUITE, key))
    with pytest.raises(MissingPsk):
        bob.commit(by_value=[named], psks={key: b"handed in"})
    for other in (b"resumption", key[:-1], key[1:], key + b"x"):
        bob.commit(by_value=[PreSharedKey(PreSharedKeyID.external(SUITE, other))], psks={other: b"handed in"})


def test_the_tree_grows_and_shrinks_with_its_members(circle: Circle) -> None:
    circle.add("bob", "dave", "erin")
    assert (circle["erin"].own_leaf_index, circle["alice"].leaf_count) == (4, 8)
    circle.commit("alice", Remove(4), Remove(3))
    assert circle["alice"].leaf_count == 4
    circle.assert_agreement()


def test_nothing_secret_shows_and_nothing_is_copied(circle: Circle) -> None:
    alice = circle["alice"]
    staged = circle["bob"].stage(circle["bob"].unprotect(alice.protect((pending := alice.commit()).content)))
    bundle = Person("dave").bundle()
    shown = " ".join(map(repr, (alice, pending, staged, pending.content, bundle, bundle.init_key)))
    for secret in (alice.epoch_authenticator, alice.resumption_psk):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
    for each in (alice, pending, staged, bundle, bundle.init_key, circle.people["alice"].signer):
        for copying in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                copying(each)


def test_a_key_package_reference_names_its_bytes() -> None:
    bundle = Person("dave").bundle()
    assert bundle.key_package.reference(SUITE) == received(bundle).reference(SUITE)
    assert len(bundle.key_package.reference(SUITE)) == 32
    assert bundle.key_package.reference(SUITE) != Person("dave").bundle().key_package.reference(SUITE)


def test_a_commit_without_a_path_is_possible_for_adds_only(circle: Circle) -> None:
    add = Add(received(Person("dave").bundle()))
    bare = circle["alice"].commit(by_value=[add], force_path=False).content.body
    full = circle["alice"].commit(by_value=[add, Remove(1)], force_path=False).content.body
    assert isinstance(bare, Commit)
    assert isinstance(full, Commit)
    assert bare.path is None
    assert full.path is not None


def test_a_handshake_can_go_in_public(circle: Circle) -> None:
    pending = circle["alice"].commit(wire_format=WireFormat.PUBLIC_MESSAGE)
    message = circle["alice"].protect_public(pending.content)
    bob = circle["bob"].stage(circle["bob"].unprotect(message)).merge()
    assert bob.epoch_authenticator == pending.merge().epoch_authenticator


def test_a_client_that_lost_its_state_is_removed_and_added_in_one_commit(circle: Circle) -> None:
    carol = circle.people["carol"]
    bundle = carol.bundle()
    pending = circle["alice"].commit(by_value=[Remove(2), Add(received(bundle))])
    assert pending.welcome is not None
    circle.deliver("alice", pending)
    circle.groups["carol"] = Group.join(pending.welcome, bundle, carol.signer, auth=AcceptAny())
    circle.assert_agreement()
    assert circle["carol"].own_leaf_index == 2


def test_an_extension_twice_is_our_own_mistake_before_anybody_sees_it(circle: Circle) -> None:
    alice, twice = circle["alice"], (Extension(PRIVATE_USE, b"one"), Extension(PRIVATE_USE, b"two"))
    for make in (
        lambda: alice.commit(leaf=LeafChange(extensions=twice)),
        lambda: alice.update_proposal(LeafChange(extensions=twice)),
        lambda: alice.commit(by_value=[ReInit(b"new", 1, SUITE, twice)], allow_reinit=True),
        lambda: Person("erin").bundle(extensions=twice),
        lambda: Person("erin").bundle(leaf_extensions=twice),
    ):
        with pytest.raises(LocalError, match="twice"):
            make()


def test_a_signer_of_another_suite_is_our_own_mistake(circle: Circle) -> None:
    stranger, alice = Person("ed", CipherSuite(3)), Person("ann")
    group = circle["alice"]
    invitation = group.group_info(allow_external=True)
    alice.signer = stranger.signer
    for attempt in (
        alice.found,
        alice.bundle,
        lambda: group.commit(leaf=LeafChange(signer=stranger.signer)),
        lambda: group.update_proposal(LeafChange(signer=stranger.signer)),
        lambda: Group.join_externally(invitation, stranger.signer, stranger.credential, auth=AcceptAny()),
    ):
        with pytest.raises(LocalError, match="MLS_128_DHKEMP256"):
            attempt()


def test_a_lifetime_that_nobody_could_use_is_our_own_mistake() -> None:
    with pytest.raises(LocalError, match="ends before"):
        Person("ann").bundle(lifetime=Lifetime(2, 1))
    with pytest.raises(LocalError, match="8 bytes"):
        Person("ann").bundle(lifetime=Lifetime(-1, 1))


def test_content_is_signed_for_the_two_formats_that_carry_it(circle: Circle) -> None:
    group = circle["alice"]
    with pytest.raises(LocalError, match="PUBLIC_MESSAGE"):
        group.sign_proposal(Remove(1), wire_format=WireFormat.WELCOME)
    with pytest.raises(LocalError, match="PUBLIC_MESSAGE"):
        group.commit(wire_format=WireFormat.KEY_PACKAGE)


def test_padding_below_zero_costs_no_key(circle: Circle) -> None:
    group = circle["alice"]
    content, before = group.sign_application(b"hello"), all_bytes(group)
    with pytest.raises(LocalError, match="padding"):
        group.protect(content, padding=-1)
    assert all_bytes(group) == before
