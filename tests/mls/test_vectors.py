"""The official test vectors of the MLS working group, every case of every cipher suite.

They are read from `mls/` under CONCLAVE_VECTORS, by default `../shared/vectors` beside the project. What
each file must prove is in the README.md that comes with them; each check here follows it line by line.
"""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticatedContent,
    CipherSuite,
    Commit,
    Group,
    GroupContext,
    KeyPackageBundle,
    LocalError,
    MlsMessage,
    SenderType,
    SoftwareSigner,
    Update,
    WireFormat,
    WrongEpoch,
    resumption_psk_key,
    tree_math,
)
from conclaved.mls.codec import Reader, decode_whole, opaque
from conclaved.mls.crypto import Crypto, HpkeCiphertext, crypto_for, supported_suites
from conclaved.mls.framing import FramedContent, PrivateMessage, PublicMessage, Sender
from conclaved.mls.key_package import KeyPackage
from conclaved.mls.key_schedule import (
    EpochKeys,
    epoch_secret,
    export,
    external_key_pair,
    joiner_secret,
    welcome_secret,
)
from conclaved.mls.leaf_node import LeafChange, LeafNode, LeafNodeSource
from conclaved.mls.message_protection import (
    check_membership,
    open_private,
    open_sender_data,
    protect_private,
    protect_public,
    sender_data_key,
    sign_content,
    verify_content,
)
from conclaved.mls.parent_hash import check_parent_hashes
from conclaved.mls.proposal import encode_proposal, read_proposal, read_proposal_body
from conclaved.mls.proposal_list import ResolvedProposal, apply_proposals
from conclaved.mls.psk import PreSharedKeyID, PskType, psk_secret
from conclaved.mls.ratchet_tree import RatchetTree
from conclaved.mls.secret_tree import SecretTree
from conclaved.mls.transcript_hash import (
    check_confirmation_tag,
    confirmed_transcript_hash,
    interim_transcript_hash,
)
from conclaved.mls.tree_hash import tree_hash
from conclaved.mls.treekem import decrypt_path, encrypt_path, merge_path, new_path, node_key_pair
from conclaved.mls.update_path import UpdatePath
from conclaved.mls.validation import Judge, check_leaf, check_unmerged_leaves
from conclaved.mls.welcome import GroupSecrets, Welcome

FOLDER = Path(os.environ.get("CONCLAVE_VECTORS", Path(__file__).parents[3] / "shared/vectors")) / "mls"
FILES = sorted(FOLDER.glob("*.json")) if FOLDER.is_dir() else []
Case = dict[str, Any]


def h(text: str) -> bytes:
    return bytes.fromhex(text)


def crypto_of(case: Case) -> Crypto:
    if case["cipher_suite"] not in supported_suites():
        pytest.skip(f"cipher suite {case['cipher_suite']} is not supported")
    return crypto_for(CipherSuite(case["cipher_suite"]))


def check_tree_math(case: Case) -> None:
    n = case["n_leaves"]
    assert tree_math.node_width(n) == case["n_nodes"]
    assert tree_math.root(n) == case["root"]
    relations: dict[str, Callable[[int], int]] = {
        "left": tree_math.left,
        "right": tree_math.right,
        "parent": lambda node: tree_math.parent(node, n),
        "sibling": lambda node: tree_math.sibling(node, n),
    }
    for name, relation in relations.items():
        for node, expected in enumerate(case[name]):
            if expected is None:
                with pytest.raises(LocalError):
                    relation(node)
            else:
                assert relation(node) == expected


def check_deserialization(case: Case) -> None:
    reader = Reader(h(case["vlbytes_header"]))
    assert reader.vector_length() == case["length"]
    reader.finish()


def check_crypto_basics(case: Case) -> None:
    crypto = crypto_of(case)
    one = case["ref_hash"]
    assert crypto.ref_hash(one["label"], h(one["value"])) == h(one["out"])
    one = case["expand_with_label"]
    out = crypto.expand_with_label(h(one["secret"]), one["label"], h(one["context"]), one["length"])
    assert out == h(one["out"])
    one = case["derive_secret"]
    assert crypto.derive_secret(h(one["secret"]), one["label"]) == h(one["out"])
    one = case["derive_tree_secret"]
    out = crypto.derive_tree_secret(h(one["secret"]), one["label"], one["generation"], one["length"])
    assert out == h(one["out"])
    one = case["sign_with_label"]
    signer = SoftwareSigner.from_private_bytes(crypto.suite, h(one["priv"]))
    assert signer.public_key == h(one["pub"])
    ours = crypto.sign_with_label(signer, one["label"], h(one["content"]))
    for signature in (h(one["signature"]), ours):
        crypto.verify_with_label(h(one["pub"]), one["label"], h(one["content"]), signature)
    one = case["encrypt_with_label"]
    private = crypto.hpke_private_key(h(one["priv"]))
    assert private.public_key == h(one["pub"])
    context = crypto.label_context(one["label"], h(one["context"]))
    theirs = HpkeCiphertext(h(one["kem_output"]), h(one["ciphertext"]))
    ours_sealed = context.seal(crypto.hpke_public_key(h(one["pub"])), h(one["plaintext"]))
    for sealed in (theirs, ours_sealed):
        assert context.open(private, sealed) == h(one["plaintext"])


def check_secret_tree(case: Case) -> None:
    crypto = crypto_of(case)
    one = case["sender_data"]
    key = sender_data_key(crypto, h(one["sender_data_secret"]), h(one["ciphertext"]))
    assert key == (h(one["key"]), h(one["nonce"]))
    tree = SecretTree(crypto, h(case["encryption_secret"]), len(case["leaves"]))
    for leaf, generations in enumerate(case["leaves"]):
        for one in generations:
            for kind in ("handshake", "application"):
                ratchet = tree.ratchet(leaf, is_handshake=kind == "handshake")
                key_of = ratchet.peek(one["generation"])
                ratchet.accept(key_of)
                assert (key_of.key, key_of.nonce) == (h(one[f"{kind}_key"]), h(one[f"{kind}_nonce"]))


def check_message_protection(case: Case) -> None:
    crypto = crypto_of(case)
    context = GroupContext(
        crypto.suite,
        h(case["group_id"]),
        case["epoch"],
        h(case["tree_hash"]),
        h(case["confirmed_transcript_hash"]),
        (),
    ).encode()
    signer = SoftwareSigner.from_private_bytes(crypto.suite, h(case["signature_priv"]))
    public_key, membership_key = h(case["signature_pub"]), h(case["membership_key"])
    sender_data_secret = h(case["sender_data_secret"])

    def raw(message: AuthenticatedContent) -> bytes:
        body = message.body
        if isinstance(body, bytes):
            return body
        return body.encode() if isinstance(body, Commit) else encode_proposal(body)

    def open_public(data: bytes) -> AuthenticatedContent:
        message = MlsMessage.decode(data).content
        assert isinstance(message, PublicMessage)
        check_membership(crypto, membership_key, message, context)
        verify_content(crypto, public_key, message.authenticated, context)
        return message.authenticated

    def open_private_message(data: bytes) -> AuthenticatedContent:
        message = MlsMessage.decode(data).content
        assert isinstance(message, PrivateMessage)
        sender_data = open_sender_data(crypto, sender_data_secret, message)
        assert sender_data.leaf_index == 1
        opened = open_private(crypto, secret_tree, sender_data, message)
        verify_content(crypto, public_key, opened.message, context)
        opened.accept()
        return opened.message

    def signed(message: AuthenticatedContent, wire_format: WireFormat) -> AuthenticatedContent:
        content = FramedContent(
            h(case["group_id"]), case["epoch"], Sender(SenderType.MEMBER, 1), b"more", message.body
        )
        signature = sign_content(crypto, signer, wire_format, content, context)
        return AuthenticatedContent(wire_format, content, signature, message.confirmation_tag)

    for kind in ("proposal", "commit", "application"):
        secret_tree = SecretTree(crypto, h(case["encryption_secret"]), 2)
        theirs = open_private_message(h(case[f"{kind}_priv"]))
        assert raw(theirs) == h(case[kind])
        key = SecretTree(crypto, h(case["encryption_secret"]), 2)
        ratchet = key.ratchet(1, is_handshake=kind != "application")
        ratchet.next()
        ours = signed(theirs, WireFormat.PRIVATE_MESSAGE)
        sealed = protect_private(crypto, sender_data_secret, ratchet.next(), ours, 11)
        assert raw(open_private_message(MlsMessage(sealed).encode())) == h(case[kind])
        ours = signed(theirs, WireFormat.PUBLIC_MESSAGE)
        if kind == "application":
            with pytest.raises(LocalError):
                protect_public(crypto, membership_key, ours, context)
        else:
            assert raw(open_public(h(case[f"{kind}_pub"]))) == h(case[kind])
            wrapped = protect_public(crypto, membership_key, ours, context)
            assert raw(open_public(MlsMessage(wrapped).encode())) == h(case[kind])


def check_key_schedule(case: Case) -> None:
    crypto = crypto_of(case)
    init_secret = h(case["initial_init_secret"])
    for number, one in enumerate(case["epochs"]):
        context = GroupContext(
            crypto.suite,
            h(case["group_id"]),
            number,
            h(one["tree_hash"]),
            h(one["confirmed_transcript_hash"]),
            (),
        ).encode()
        assert context == h(one["group_context"])
        joiner = joiner_secret(crypto, init_secret, h(one["commit_secret"]), context)
        assert joiner == h(one["joiner_secret"])
        psk = h(one["psk_secret"])
        assert welcome_secret(crypto, joiner, psk) == h(one["welcome_secret"])
        keys = EpochKeys.derive(crypto, epoch_secret(crypto, joiner, psk, context))
        for name in (
            "init_secret",
            "sender_data_secret",
            "encryption_secret",
            "exporter_secret",
            "epoch_authenticator",
            "external_secret",
            "confirmation_key",
            "membership_key",
            "resumption_psk",
        ):
            assert keys.get(name) == h(one[name]), name
        external = external_key_pair(crypto, keys.get("external_secret"))
        assert external.public_key == h(one["external_pub"])
        asked = one["exporter"]
        out = export(
            crypto, keys.get("exporter_secret"), asked["label"], h(asked["context"]), asked["length"]
        )
        assert out == h(asked["secret"])
        init_secret = keys.take("init_secret")


def check_psk_secret(case: Case) -> None:
    psks = [
        (
            PreSharedKeyID(PskType.EXTERNAL, h(one["psk_id"]), None, b"", 0, h(one["psk_nonce"])),
            h(one["psk"]),
        )
        for one in case["psks"]
    ]
    assert psk_secret(crypto_of(case), psks) == h(case["psk_secret"])


def check_transcript_hashes(case: Case) -> None:
    crypto, commit = crypto_of(case), AuthenticatedContent.decode(h(case["authenticated_content"]))
    assert isinstance(commit.body, Commit)
    assert commit.encode() == h(case["authenticated_content"])
    confirmed = confirmed_transcript_hash(crypto, h(case["interim_transcript_hash_before"]), commit)
    assert confirmed == h(case["confirmed_transcript_hash_after"])
    check_confirmation_tag(crypto, h(case["confirmation_key"]), confirmed, commit.confirmation_tag)
    interim = interim_transcript_hash(crypto, confirmed, commit.confirmation_tag or b"")
    assert interim == h(case["interim_transcript_hash_after"])


def check_welcome(case: Case) -> None:
    crypto = crypto_of(case)
    package = MlsMessage.decode(h(case["key_package"])).content
    welcome = MlsMessage.decode(h(case["welcome"])).content
    assert isinstance(package, KeyPackage)
    assert isinstance(welcome, Welcome)
    init_key = crypto.hpke_private_key(h(case["init_priv"]))
    secrets = welcome.open_secrets(crypto, package.reference(crypto.suite), init_key)
    info = welcome.open_group_info(crypto, welcome_secret(crypto, secrets.joiner_secret, crypto.zero))
    info.verify(crypto, h(case["signer_pub"]))
    context = info.group_context
    secret = epoch_secret(crypto, secrets.joiner_secret, crypto.zero, context.encode())
    key = EpochKeys.derive(crypto, secret).get("confirmation_key")
    check_confirmation_tag(crypto, key, context.confirmed_transcript_hash, info.confirmation_tag)


def check_tree_operations(case: Case) -> None:
    crypto, before = crypto_of(case), RatchetTree.decode(h(case["tree_before"]))
    assert tree_hash(crypto, before.root) == h(case["tree_hash_before"])
    proposal = decode_whole(h(case["proposal"]), read_proposal)
    resolved = ResolvedProposal(proposal, case["proposal_sender"], True, b"")
    after = apply_proposals(before, (), [resolved]).tree
    assert after.encode() == h(case["tree_after"])
    assert tree_hash(crypto, after.root) == h(case["tree_hash_after"])
    assert after.encryption_keys == RatchetTree.decode(after.encode()).encryption_keys
    assert after.signature_keys == RatchetTree.decode(after.encode()).signature_keys


def check_tree_validation(case: Case) -> None:
    crypto, tree = crypto_of(case), RatchetTree.decode(h(case["tree"]))
    assert tree.encode() == h(case["tree"])
    assert len(case["resolutions"]) == 2 * tree.n_leaves - 1
    for index, expected in enumerate(case["resolutions"]):
        assert [each.index for each in tree.node(index).resolution] == expected
    for index, expected_hash in enumerate(case["tree_hashes"]):
        assert tree_hash(crypto, tree.node(index)) == h(expected_hash)
    check_parent_hashes(crypto, tree)
    check_unmerged_leaves(tree)
    judge = Judge(crypto, h(case["group_id"]), AcceptAny(), None)
    for leaf_index, leaf in tree.leaves():
        check_leaf(judge, leaf, leaf_index)


def check_treekem(case: Case) -> None:
    crypto, tree = crypto_of(case), RatchetTree.decode(h(case["ratchet_tree"]))
    privates, signers = {}, {}
    for one in case["leaves_private"]:
        index = one["index"]
        keys = {2 * index: crypto.hpke_private_key(h(one["encryption_priv"]))}
        for each in one["path_secrets"]:
            keys[each["node"]] = node_key_pair(crypto, h(each["path_secret"]))
        for node, key in keys.items():
            held = tree.node(node).node
            assert held is not None
            assert held.encryption_key == key.public_key
        privates[index] = keys
        signers[index] = SoftwareSigner.from_private_bytes(crypto.suite, h(one["signature_priv"]))

    def context_of(after: RatchetTree) -> bytes:
        return GroupContext(
            crypto.suite,
            h(case["group_id"]),
            case["epoch"],
            tree_hash(crypto, after.root),
            h(case["confirmed_transcript_hash"]),
            (),
        ).encode()

    for one in case["update_paths"]:
        sender = one["sender"]
        path = decode_whole(h(one["update_path"]), UpdatePath.read)
        assert path.encode() == h(one["update_path"])
        merged = merge_path(crypto, tree, sender, path)
        assert tree_hash(crypto, merged.root) == h(one["tree_hash_after"])
        check_parent_hashes(crypto, merged)
        path.leaf_node.verify(crypto, h(case["group_id"]), sender)

        def resigned(
            encryption_key: bytes, parent_hash: bytes, sender: int = sender, path: UpdatePath = path
        ) -> LeafNode:
            change = LeafChange().apply(path.leaf_node, LeafNodeSource.COMMIT, encryption_key, parent_hash)
            return change.sign(crypto, signers[sender], h(case["group_id"]), sender)

        ours = new_path(crypto, tree, sender, resigned)
        our_context = context_of(ours.tree)
        our_path = encrypt_path(crypto, ours, our_context)
        assert merge_path(crypto, tree, sender, our_path).encode() == ours.tree.encode()
        for receiver, expected in enumerate(one["path_secrets"]):
            if expected is None:
                continue
            keys = privates[receiver]
            got = decrypt_path(crypto, tree, sender, receiver, keys, path, context_of(merged))
            assert got.path_secret == h(expected)
            assert got.commit_secret == h(one["commit_secret"])
            got = decrypt_path(crypto, tree, sender, receiver, keys, our_path, our_context)
            assert got.commit_secret == ours.commit_secret


def check_messages(case: Case) -> None:
    for name, wire_format in (
        ("mls_welcome", WireFormat.WELCOME),
        ("mls_group_info", WireFormat.GROUP_INFO),
        ("mls_key_package", WireFormat.KEY_PACKAGE),
        ("public_message_application", WireFormat.PUBLIC_MESSAGE),
        ("public_message_proposal", WireFormat.PUBLIC_MESSAGE),
        ("public_message_commit", WireFormat.PUBLIC_MESSAGE),
        ("private_message", WireFormat.PRIVATE_MESSAGE),
    ):
        message = MlsMessage.decode(h(case[name]))
        assert message.wire_format is wire_format
        assert fresh(message).encode() == h(case[name])
    assert RatchetTree.decode(h(case["ratchet_tree"])).encode() == h(case["ratchet_tree"])
    assert GroupSecrets.decode(h(case["group_secrets"])).encode() == h(case["group_secrets"])
    assert decode_whole(h(case["commit"]), Commit.read).encode() == h(case["commit"])
    for number, name in enumerate(
        ("add", "update", "remove", "pre_shared_key", "re_init", "external_init", "group_context_extensions"),
        start=1,
    ):
        data = h(case[f"{name}_proposal"])
        reader = Reader(data)
        proposal = read_proposal_body(reader, number)
        reader.finish()
        assert proposal.encode_body() == data
        if isinstance(proposal, Add | Update):
            leaf = proposal.key_package.leaf_node if isinstance(proposal, Add) else proposal.leaf_node
            # Encoded from its fields and not from the bytes that were kept.
            assert leaf._unsigned() + opaque(leaf.signature) == leaf.encode()


def fresh(message: MlsMessage) -> MlsMessage:
    """The message without the encodings that its parts keep from decoding."""
    content = message.content
    if isinstance(content, PublicMessage):
        object.__setattr__(content.authenticated.content, "_encoded", None)
    elif isinstance(content, KeyPackage):
        object.__setattr__(content, "_encoded", None)
        object.__setattr__(content.leaf_node, "_encoded", None)
    return message


def bundle_of(case: Case) -> tuple[KeyPackageBundle, SoftwareSigner]:
    crypto, package = crypto_of(case), MlsMessage.decode(h(case["key_package"])).content
    assert isinstance(package, KeyPackage)
    signer = SoftwareSigner.from_private_bytes(crypto.suite, h(case["signature_priv"]))
    init_key = crypto.hpke_private_key(h(case["init_priv"]))
    leaf_key = crypto.hpke_private_key(h(case["encryption_priv"]))
    assert signer.public_key == package.leaf_node.signature_key
    assert init_key.public_key == package.init_key
    assert leaf_key.public_key == package.leaf_node.encryption_key
    return KeyPackageBundle(package, init_key, leaf_key), signer


def check_passive_client(case: Case) -> None:
    psks = {h(one["psk_id"]): h(one["psk"]) for one in case["external_psks"]}
    bundle, signer = bundle_of(case)
    tree = None if case["ratchet_tree"] is None else h(case["ratchet_tree"])
    group = Group.join(h(case["welcome"]), bundle, signer, ratchet_tree=tree, psks=psks, auth=AcceptAny())
    assert group.epoch_authenticator == h(case["initial_epoch_authenticator"])
    for one in case["epochs"]:
        # Past epochs' resumption PSKs are the application's to keep (RFC 9420 §8.6).
        psks[resumption_psk_key(group.group_id, group.epoch)] = group.resumption_psk
        proposals = [group.unprotect(h(message), allow_outsiders=True) for message in one["proposals"]]
        commit = group.unprotect(h(one["commit"]), allow_outsiders=True)
        staged = group.stage(commit, proposals, psks=psks, allow_external=True, allow_reinit=True)
        group = staged.merge()
        assert group.epoch_authenticator == h(one["epoch_authenticator"])
        with pytest.raises(WrongEpoch):
            group.unprotect(h(one["commit"]))


CHECKS: dict[str, Callable[[Case], None]] = {
    "crypto-basics": check_crypto_basics,
    "deserialization": check_deserialization,
    "key-schedule": check_key_schedule,
    "message-protection": check_message_protection,
    "messages": check_messages,
    "passive-client-handling-commit": check_passive_client,
    "passive-client-random": check_passive_client,
    "passive-client-welcome": check_passive_client,
    "psk_secret": check_psk_secret,
    "secret-tree": check_secret_tree,
    "transcript-hashes": check_transcript_hashes,
    "tree-math": check_tree_math,
    "tree-operations": check_tree_operations,
    "tree-validation": check_tree_validation,
    "treekem": check_treekem,
    "welcome": check_welcome,
}


@pytest.mark.skipif(not FILES, reason=f"no vectors in {FOLDER}: set CONCLAVE_VECTORS")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_case_of_the_official_vectors_holds(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check = CHECKS[path.stem]
    cases: list[Case] = json.loads(path.read_text())
    passed, skipped = 0, Counter[str]()
    for number, case in enumerate(cases):
        try:
            check(case)
        except pytest.skip.Exception as reason:
            skipped[str(reason)] += 1
        except Exception as error:
            suite = case.get("cipher_suite")
            raise AssertionError(f"{path.name} case {number}, cipher suite {suite}") from error
        else:
            passed += 1
    why = "; ".join(f"{count} {reason}" for reason, count in skipped.items())
    with capsys.disabled():
        print(
            f"\n  {path.name}: {len(cases)} cases, {passed} passed, {skipped.total()} skipped {why}", end=""
        )
    assert passed == len(cases)
