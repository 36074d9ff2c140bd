"""Every stack plays every part in one group with all the others, and all agree after each step."""

import itertools

import pytest

from conclaved.mls import CipherSuite
from tests.peers.build import NAMES
from tests.peers.certificates import SUITES as CERTIFIED
from tests.peers.certificates import identities
from tests.peers.circle import Circle, Programs
from tests.peers.client import Add, Basic, Psk, Remove, Update
from tests.peers.ours import STACK
from tests.peers.peer import PeerRefused

pytestmark = pytest.mark.peers

STACKS = (STACK, *NAMES)
SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
WIRE = pytest.mark.parametrize("encrypts_handshake", [True, False], ids=["private", "public"])
SUITES = {
    STACK: (1, 2, 3, 4, 5, 6, 7),
    "openmls": (1, 2, 3),
    "mls-rs-awslc": (1, 2, 3, 5, 7),
    "mls-rs-openssl": (1, 2, 3, 4, 5, 6, 7),
    "ts-mls": (1, 2, 3, 7),
}
EACH_SUITE = pytest.mark.parametrize("number", SUITES[STACK])
EACH_PAIR = pytest.mark.parametrize(
    ("stack", "number"), [(stack, number) for stack, numbers in SUITES.items() for number in numbers]
)
EACH_STACK = pytest.mark.parametrize("stack", STACKS)


def circle_of_all(
    programs: Programs, suite: CipherSuite, founder: str, *, encrypts_handshake: bool = True
) -> Circle:
    """A group of one client of each stack that supports the suite, and a second one of ours."""
    stacks = programs.stacks(suite)
    circle = Circle(programs, suite, founder, encrypts_handshake=encrypts_handshake)
    circle.add(founder, *(stack for stack in stacks if stack != founder), f"{STACK}.2")
    circle.converse()
    return circle


@WIRE
@EACH_PAIR
def test_a_stack_founds_a_group_of_all(
    programs: Programs, stack: str, number: int, encrypts_handshake: bool
) -> None:
    circle = circle_of_all(programs, CipherSuite(number), stack, encrypts_handshake=encrypts_handshake)
    for name in list(circle.members):
        circle.commit(name)
        circle.converse()


@WIRE
@EACH_SUITE
def test_each_in_turn_adds_one_and_removes_another(
    programs: Programs, number: int, encrypts_handshake: bool
) -> None:
    suite = CipherSuite(number)
    circle = circle_of_all(programs, suite, STACK, encrypts_handshake=encrypts_handshake)
    stacks = programs.stacks(suite)
    for place, by in enumerate(stacks):
        newcomer = f"{stacks[(place + 1) % len(stacks)]}.new"
        circle.add(by, newcomer)
        circle.converse()
        circle.commit(newcomer)
        circle.remove(newcomer, f"{STACK}.2")
        circle.converse()
        circle.remove(by, newcomer)
        circle.agree()
        circle.add(by, f"{STACK}.2")
        circle.converse()


@EACH_STACK
def test_a_removed_client_of_a_stack_learns_that_it_is_out(programs: Programs, stack: str) -> None:
    circle = circle_of_all(programs, SUITE, f"{STACK}")
    name = f"{stack}.out"
    circle.add(STACK, name)
    circle.remove("mls-rs-awslc", name)
    assert name not in circle.members
    circle.converse()


@WIRE
@EACH_PAIR
def test_a_stack_commits_what_all_others_propose(
    programs: Programs, stack: str, number: int, encrypts_handshake: bool
) -> None:
    circle = circle_of_all(programs, CipherSuite(number), stack, encrypts_handshake=encrypts_handshake)
    circle.learn_psk(b"shared", b"a secret of thirty-two bytes ....")
    proposers = [name for name in circle.members if name != stack]
    newcomer = circle.client(f"{stack}.new")
    circle.propose(proposers[0], Add(newcomer.key_package()))
    circle.propose(proposers[-1], Psk(b"shared"))
    for name in proposers:
        if not name.startswith("ts-mls"):  # it cannot make one
            circle.propose(name, Update())
    commit = circle.commit(stack)
    circle.welcome(commit, {f"{stack}.new": newcomer})
    circle.converse()
    circle.propose(proposers[1], Remove(circle.leaf(f"{stack}.new")))
    circle.commit(stack)
    assert f"{stack}.new" not in circle.members
    circle.converse()


@EACH_PAIR
def test_a_psk_committed_by_a_stack_changes_the_epoch_for_all(
    programs: Programs, stack: str, number: int
) -> None:
    circle = circle_of_all(programs, CipherSuite(number), stack)
    circle.learn_psk(b"first", b"one secret")
    circle.learn_psk(b"second", bytes(range(64)))
    circle.commit(stack, Psk(b"first"), Psk(b"second"))
    circle.converse()
    circle.commit(STACK, Psk(b"second"))
    circle.converse()


@pytest.mark.parametrize(("holder", "entrant"), list(itertools.product(STACKS, STACKS)))
def test_a_stack_enters_by_an_external_commit_with_the_info_of_another(
    programs: Programs, holder: str, entrant: str
) -> None:
    for number in sorted({*SUITES[holder]} & {*SUITES[entrant]}):
        circle = circle_of_all(programs, CipherSuite(number), holder)
        name = f"{entrant}.new"
        circle.enter(holder, name)
        circle.converse()
        circle.commit(name)
        circle.converse()
        circle.enter(holder, name, in_place=True)
        circle.converse()
        circle.remove(f"{STACK}.2", name)
        circle.converse()


@pytest.mark.parametrize(
    ("stack", "number"),
    [(stack, number) for stack, numbers in SUITES.items() for number in numbers if number in CERTIFIED],
)
def test_clients_with_certificates_meet(programs: Programs, stack: str, number: int) -> None:
    suite = CipherSuite(number)
    stacks = programs.stacks(suite)
    names = [*stacks, f"{STACK}.2", f"{stack}.new"]
    circle = Circle(programs, suite, stack, identities=identities(suite, names))
    circle.add(stack, *(name for name in names if name not in (stack, f"{stack}.new")))
    circle.converse()
    for name in stacks:
        circle.commit(name)
    circle.enter(STACK, f"{stack}.new")
    circle.converse()


def test_basic_credentials_and_certificates_meet_in_one_group(programs: Programs) -> None:
    certified = identities(SUITE, [STACK, "openmls", "ts-mls"])
    bare = {name: Basic(name.encode(), certified[STACK].roots) for name in ("mls-rs-openssl", "mls-rs-awslc")}
    circle = Circle(programs, SUITE, "mls-rs-openssl", identities={**certified, **bare})
    circle.add("mls-rs-openssl", STACK, "openmls", "ts-mls", "mls-rs-awslc", f"{STACK}.2")
    for name in list(circle.members):
        circle.commit(name)
        circle.converse()


@pytest.mark.parametrize("judge", [name for name in STACKS if name not in (STACK, "openmls")])
def test_a_chain_to_an_unknown_root_is_refused_by(programs: Programs, judge: str) -> None:
    known, unknown = identities(SUITE, [judge]), identities(SUITE, [f"{STACK}.2"])
    circle = Circle(programs, SUITE, judge, identities={**known, **unknown})
    package = circle.client(f"{STACK}.2").key_package()
    with pytest.raises(PeerRefused):
        circle[judge].commit([Add(package)])


@EACH_STACK
def test_a_message_that_was_changed_is_refused_and_changes_nothing(programs: Programs, stack: str) -> None:
    circle = circle_of_all(programs, SUITE, stack)
    sender = f"{STACK}.2"
    message = bytearray(circle[sender].protect(b"hello"))
    message[-1] ^= 1
    with pytest.raises(PeerRefused) if stack != STACK else pytest.raises(Exception, match="decryption"):
        circle[stack].process(bytes(message))
    circle.converse()


@EACH_STACK
def test_a_discarded_commit_leaves_the_epoch_to_another(programs: Programs, stack: str) -> None:
    circle = circle_of_all(programs, SUITE, stack)
    circle[stack].commit([])
    circle[stack].discard()
    circle.commit(f"{STACK}.2")
    circle.converse()
    circle.commit(stack)
    circle.converse()


def test_the_stacks_support_these_suites(programs: Programs) -> None:
    found = {name: tuple(map(int, each.hello.suites)) for name, each in programs.by_name.items()}
    assert {STACK: SUITES[STACK], **found} == SUITES
