"""GroupContext extensions, resumption PSKs, and proposals from outside, between all stacks that have them."""

import pytest

from conclaved.mls import Add as AddProposal
from conclaved.mls import (
    BasicCredential,
    CipherSuite,
    Extension,
    ExternalSender,
    Proposal,
    RequiredCapabilities,
    SoftwareSigner,
    external_proposal,
    external_senders_extension,
)
from conclaved.mls import Remove as RemoveProposal
from conclaved.mls.key_package import KeyPackage
from conclaved.mls.mls_message import MlsMessage
from tests.peers.build import NAMES
from tests.peers.circle import Circle, Programs
from tests.peers.client import PRIVATE_EXTENSION, Extensions, Resumption
from tests.peers.ours import STACK, OwnClient

pytestmark = pytest.mark.peers

SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
STACKS = (STACK, *NAMES)
REQUIRED = RequiredCapabilities((PRIVATE_EXTENSION,), (), (1,))
EACH_STACK = pytest.mark.parametrize("stack", STACKS)
# ts-mls 1.6.4 commits new GroupContext extensions without a path, which §12.4 forbids, and reads
# external_senders as one sender where §12.1.8.1 has a vector.
EACH_STACK_WITH_EXTENSIONS = pytest.mark.parametrize("stack", [each for each in STACKS if each != "ts-mls"])


def circle_of(programs: Programs, founder: str, *, without: str = "") -> Circle:
    """A group of one client of each stack and a second one of ours."""
    stacks = [stack for stack in programs.stacks(SUITE) if stack != without]
    circle = Circle(programs, SUITE, founder, encrypts_handshake=True)
    circle.add(founder, *(stack for stack in stacks if stack != founder), f"{STACK}.2")
    circle.converse()
    return circle


def extensions_of(circle: Circle) -> tuple[Extension, ...]:
    witness = circle[f"{STACK}.2"]
    assert isinstance(witness, OwnClient)
    return witness.group.extensions


@EACH_STACK_WITH_EXTENSIONS
def test_a_stack_commits_new_extensions_of_the_group(programs: Programs, stack: str) -> None:
    circle = circle_of(programs, stack)
    wanted = (
        REQUIRED.to_extension(),
        Extension(PRIVATE_EXTENSION, b"what the group is about"),
    )
    circle.commit(stack, Extensions(wanted))
    assert extensions_of(circle) == wanted
    circle.converse()
    circle.add(stack, *(f"{each}.new" for each in STACKS))
    circle.converse()
    circle.enter(f"{STACK}.2", f"{stack}.late")
    circle.converse()


@EACH_STACK
def test_a_stack_proposes_new_extensions_that_another_commits(programs: Programs, stack: str) -> None:
    circle = circle_of(programs, STACK)
    # OpenMLS 0.9.2 asks for this list of every extension, though §11.1 does not.
    wanted = (Extension(PRIVATE_EXTENSION, b""), REQUIRED.to_extension())
    circle.propose(stack, Extensions(wanted))
    by = "mls-rs-awslc" if stack != "mls-rs-awslc" else "openmls"
    circle.commit(by)
    assert extensions_of(circle) == wanted
    circle.converse()


@EACH_STACK
def test_a_stack_commits_the_resumption_psk_of_an_epoch_before(programs: Programs, stack: str) -> None:
    circle = circle_of(programs, stack)
    before = circle.agree().epoch
    circle.commit(STACK)
    circle.commit(stack, Resumption(before))
    circle.converse()
    if stack != "openmls":  # it cannot propose one for others to commit
        circle.propose(stack, Resumption(before + 1))
        circle.commit(f"{STACK}.2")
        circle.converse()


@EACH_STACK
@pytest.mark.parametrize("entrant", STACKS)
def test_a_stack_lets_in_who_asks_from_outside(programs: Programs, stack: str, entrant: str) -> None:
    circle = circle_of(programs, stack)
    name = f"{entrant}.new"
    newcomer = circle.client(name)
    circle.deliver(name, newcomer.propose_self(circle[f"{STACK}.2"].group_info()))
    commit = circle.commit(stack)
    circle.welcome(commit, {name: newcomer})
    circle.converse()


@EACH_STACK_WITH_EXTENSIONS
def test_a_stack_commits_what_an_external_sender_proposes(programs: Programs, stack: str) -> None:
    circle = circle_of(programs, stack, without="ts-mls")
    signer = SoftwareSigner.generate(SUITE)
    sender = ExternalSender(signer.public_key, BasicCredential(b"an external sender"))
    circle.commit(stack, Extensions((external_senders_extension((sender,)),)))
    circle.converse()
    name = f"{stack}.new"
    newcomer = circle.client(name)
    package = MlsMessage.decode(newcomer.key_package()).content
    assert isinstance(package, KeyPackage)
    group_id, epoch = b"a group of many stacks", circle.agree().epoch
    proposals: list[Proposal] = [AddProposal(package), RemoveProposal(circle.leaf(f"{STACK}.2"))]
    for proposal in proposals:
        message = external_proposal(SUITE, group_id, epoch, 0, signer, proposal)
        circle.deliver("an external sender", message)
    commit = circle.commit(stack)
    circle.welcome(commit, {name: newcomer})
    assert f"{STACK}.2" not in circle.members
    circle.converse()
