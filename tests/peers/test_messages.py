"""Application messages that come as networks bring them, from and to every stack; and a larger group."""

import itertools

import pytest

from conclaved.mls import CipherSuite
from tests.peers.build import NAMES
from tests.peers.circle import Circle, Programs
from tests.peers.client import Kind, Received
from tests.peers.ours import STACK
from tests.peers.test_live import SUITES

pytestmark = pytest.mark.peers

STACKS = (STACK, *NAMES)
EACH_PAIR = pytest.mark.parametrize(
    ("sender", "receiver"), [pair for pair in itertools.permutations(STACKS, 2) if STACK in pair]
)
SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
IN_A_ROW = 5


def pair_of(programs: Programs, sender: str, receiver: str, suite: CipherSuite = SUITE) -> Circle:
    """A group of three, so that nobody is everybody's neighbour."""
    circle = Circle(programs, suite, sender, encrypts_handshake=True)
    circle.add(sender, receiver, f"{STACK}.2")
    circle.agree()
    return circle


@EACH_PAIR
def test_messages_are_read_in_whatever_order_they_come(
    programs: Programs, sender: str, receiver: str
) -> None:
    circle = pair_of(programs, sender, receiver)
    messages = {bytes([number]): circle[sender].protect(bytes([number])) for number in range(IN_A_ROW)}
    for data, message in reversed(messages.items()):
        assert circle[receiver].process(message) == Received(Kind.APPLICATION, data)
    circle.say(sender, b"and on")


@EACH_PAIR
def test_a_message_of_the_epoch_before_is_read_late(programs: Programs, sender: str, receiver: str) -> None:
    circle = pair_of(programs, sender, receiver)
    late = circle[sender].protect(b"late")
    circle.commit(f"{STACK}.2")
    assert circle[receiver].process(late) == Received(Kind.APPLICATION, b"late")
    circle.converse()


@EACH_PAIR
@pytest.mark.parametrize("size", [0, 1, 63, 16_383, 100_000])
def test_messages_of_any_size_are_read(programs: Programs, sender: str, receiver: str, size: int) -> None:
    circle = pair_of(programs, sender, receiver)
    circle.say(sender, b"\xa5" * size)


@pytest.mark.parametrize("founder", STACKS)
def test_a_larger_group_stays_together(programs: Programs, founder: str) -> None:
    suite, size = CipherSuite(1), 33
    stacks = [stack for stack in STACKS if suite in SUITES[stack]]
    circle = Circle(programs, suite, founder, encrypts_handshake=False)
    names = [f"{stacks[number % len(stacks)]}.{number}" for number in range(1, size)]
    circle.add(founder, *names)
    circle.agree()
    for place in (1, size // 2, size - 1):
        circle.commit(names[place - 1])
    circle.remove(names[0], names[size // 2 - 1])
    # No newcomer of ts-mls: it refuses such trees (see test_walk).
    newcomer = f"{STACK if founder == 'ts-mls' else founder}.new"
    circle.add(names[-1], newcomer)
    circle.say(newcomer, b"hello")
    circle.agree()
