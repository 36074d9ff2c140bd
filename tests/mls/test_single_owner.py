"""Secrets have one owner: no copy, no pickle, and nothing is left of them in a forked process."""

import copy
import gc
import multiprocessing
import os
import pickle
from collections.abc import Callable

import pytest

from conclaved.mls import Add, GoneError, Group, MlsError
from conclaved.mls.single_owner import SingleOwner
from tests.mls.cast import Circle, Person, all_bytes, received


def everything() -> list[object]:
    """One of every kind of thing that holds a secret."""
    circle, erin = Circle("alice", "bob"), Person("erin")
    alice, bundle = circle["alice"], erin.bundle()
    pending = alice.commit(by_value=[Add(received(bundle))])
    secrets = alice._secrets
    ratchet = secrets.secret_tree.ratchet(0, is_handshake=False)
    return [
        alice,
        alice.lineage,
        bundle,
        bundle.init_key,
        erin.signer,
        pending,
        pending.staged,
        secrets,
        secrets.keys,
        secrets.secret_tree,
        ratchet,
        ratchet.peek(0),
    ]


@pytest.mark.parametrize("holder", everything(), ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, pickle.dumps], ids=lambda each: each.__name__
)
def test_a_secret_is_not_copied(holder: object, duplicate: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="not copied or pickled"):
        duplicate(holder)


def in_child(work: Callable[[], object]) -> str:
    """What `work` comes to in a forked process: the name of what it raises, or `nothing`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        outcome = "nothing"
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent is to see it
            outcome = type(error).__name__
        os.write(writing, outcome.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        outcome = pipe.read()
    os.waitpid(child, 0)
    return outcome


def actions() -> dict[str, tuple[Circle, Callable[[], object]]]:
    """What a member can do that uses a secret, prepared before the fork."""
    circle = Circle("alice", "bob")
    alice, bob, erin = circle["alice"], circle["bob"], Person("erin")
    words, proposal = alice.sign_application(b"words"), alice.sign_proposal(Add(received(erin.bundle())))
    pending, heard = alice.commit(), bob.protect(bob.sign_application(b"hello"))
    commit = alice.unprotect(bob.protect(bob.commit().content))
    bundle = erin.bundle()
    invitation = circle["bob"].commit(by_value=[Add(received(bundle))])
    assert invitation.welcome is not None
    welcome = invitation.welcome
    return {
        "protect": (circle, lambda: alice.protect(words)),
        "protect a proposal": (circle, lambda: alice.protect(proposal)),
        "sign": (circle, lambda: alice.sign_application(b"words")),
        "commit": (circle, alice.commit),
        "merge": (circle, pending.merge),
        "stage": (circle, lambda: alice.stage(commit)),
        "unprotect": (circle, lambda: alice.unprotect(heard)),
        "propose an update": (circle, alice.update_proposal),
        "export": (circle, lambda: alice.export("label", b"", 16)),
        "a GroupInfo": (circle, lambda: alice.group_info(allow_external=True)),
        "join": (circle, lambda: Group.join(welcome, bundle, erin.signer, auth=circle.auth)),
    }


@pytest.mark.parametrize("what", actions())
def test_a_forked_process_has_no_secret_to_use(what: str) -> None:
    circle, act = actions()[what]
    before = all_bytes(circle["alice"])
    assert in_child(act) == "GoneError"
    assert all_bytes(circle["alice"]) == before


def test_the_parent_goes_on_unharmed() -> None:
    circle = Circle("alice", "bob")
    pending = circle["alice"].commit()
    assert in_child(pending.discard) == "nothing"
    circle.deliver("alice", pending)
    circle.commit("bob")
    circle.assert_agreement()


def test_nothing_secret_is_left_in_the_child() -> None:
    circle, bundle = Circle("alice", "bob"), Person("erin").bundle()

    def look() -> None:
        owners = [each for each in gc.get_objects() if isinstance(each, SingleOwner)]
        assert owners
        for group in circle.groups.values():
            secrets = group._secrets
            assert not secrets.keys._secrets
            assert not secrets._private_keys
            assert not secrets.secret_tree._nodes
            assert not secrets.secret_tree._ratchets
        assert bundle._init_key is None

    assert in_child(look) == "nothing"


def test_a_child_founds_a_group_of_its_own() -> None:
    assert in_child(lambda: Circle("alice", "bob").commit("bob")) == "nothing"


def _protects(group: Group, results: "multiprocessing.SimpleQueue[str]") -> None:
    try:
        group.protect(group.sign_application(b"words"))
    except MlsError as error:
        results.put(type(error).__name__)
    else:
        results.put("nothing")


def test_a_process_of_multiprocessing_that_is_forked_has_none_either() -> None:
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(target=_protects, args=(Circle("alice", "bob")["alice"], results))
    process.start()
    outcome = results.get()
    process.join()
    assert outcome == "GoneError"


def test_a_fork_that_python_does_not_see_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    circle, bundle = Circle("alice", "bob"), Person("erin").bundle()
    alice = circle["alice"]
    words = alice.sign_application(b"words")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(os, "getpid", lambda: -1)
        for act in (lambda: alice.protect(words), alice.commit, lambda: bundle.init_key):
            with pytest.raises(GoneError, match="another process"):
                act()
    circle["bob"].unprotect(alice.protect(words))


def test_what_a_closed_epoch_leaves_behind_gives_no_keys() -> None:
    circle = Circle("alice", "bob")
    ratchet = circle["alice"]._secrets.secret_tree.ratchet(1, is_handshake=False)
    circle["alice"].close()
    with pytest.raises(GoneError):
        ratchet.peek(0)
    with pytest.raises(GoneError):
        ratchet.next()
