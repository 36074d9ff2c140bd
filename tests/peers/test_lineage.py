"""Groups that continue another one, begun and joined by every stack that can (OpenMLS cannot)."""

import pytest

from conclaved.mls import CipherSuite
from tests.peers.circle import Circle, Programs
from tests.peers.client import Client, Lineage, ReInit
from tests.peers.ours import STACK

pytestmark = pytest.mark.peers

SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
STACKS = (STACK, "mls-rs-awslc", "mls-rs-openssl", "ts-mls")
EACH_STACK = pytest.mark.parametrize("stack", STACKS)


def circle_of(programs: Programs, founder: str) -> Circle:
    circle = Circle(programs, SUITE, founder, encrypts_handshake=True)
    circle.add(founder, *(each for each in STACKS if each != founder), f"{STACK}.2")
    circle.converse()
    return circle


def go_on(circle: Circle, by: str, others: dict[str, Client], lineage: Lineage, group_id: bytes) -> None:
    """One member begins the new group, the others join it; then it is what the circle is in."""
    packages = [client.key_package() for client in others.values()]
    welcome = circle[by].continue_as(lineage, group_id, packages)
    for client in others.values():
        client.join_continuation(lineage, welcome)
    circle.members = {by: circle[by], **others}


@EACH_STACK
@pytest.mark.parametrize("is_by_reference", [False, True], ids=["by value", "by reference"])
def test_a_group_that_was_ended_goes_on_as_another(
    programs: Programs, stack: str, is_by_reference: bool
) -> None:
    circle = circle_of(programs, STACK)
    ender = STACKS[(STACKS.index(stack) + 1) % len(STACKS)]
    if is_by_reference:
        circle.propose(f"{STACK}.2", ReInit(b"the next group"))
        circle.commit(ender)
    else:
        circle.commit(ender, ReInit(b"the next group"))
    others = {name: client for name, client in circle.members.items() if name != stack}
    go_on(circle, stack, others, Lineage.REINIT, b"the next group")
    assert circle.agree().epoch == 1
    circle.converse()
    circle.commit(ender)
    circle.converse()


@EACH_STACK
def test_some_members_go_aside_into_a_subgroup(programs: Programs, stack: str) -> None:
    circle = circle_of(programs, stack)
    left_out = STACKS[(STACKS.index(stack) + 1) % len(STACKS)]
    others = {name: client for name, client in circle.members.items() if name not in (stack, left_out)}
    go_on(circle, stack, others, Lineage.BRANCH, b"a subgroup")
    assert circle.agree().epoch == 1
    circle.converse()
    circle.commit(next(iter(others)))
    circle.converse()
