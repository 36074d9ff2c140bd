"""Writes golden transcripts: one group of many stacks as a listening client of ours sees it.

Each says what the listener's private keys are, every message that reached it, and what the *other* stacks
saw after each commit. `tests/mls/test_golden.py` replays them without any of those programs.
"""

import json
import time
from base64 import b64encode
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from conclaved.mls import CipherSuite, Extension, RequiredCapabilities
from tests.peers.build import NAMES
from tests.peers.certificates import identities
from tests.peers.circle import Circle, Programs
from tests.peers.client import (
    PRIVATE_EXTENSION,
    Add,
    Client,
    Commit,
    Extensions,
    Identity,
    Proposal,
    Psk,
    Remove,
    Resumption,
    Update,
)
from tests.peers.ours import STACK
from tests.peers.peer import Program
from tests.peers.witness import EXPORT_CONTEXT, EXPORT_LABEL, EXPORT_LENGTH, NAME, Witness, text

GOLDEN = Path(__file__).parents[1] / "mls" / "golden"
SUITES = {CipherSuite(1), CipherSuite(2), CipherSuite(3), CipherSuite(7)}
"""With a client of every kind."""
PSK_ID, PSK = b"a golden psk", b"known to every member, even now"


@dataclass(frozen=True, slots=True)
class Play:
    """Which group is recorded."""

    suite: CipherSuite
    founder: str
    encrypts_handshake: bool
    has_certificates: bool = False

    @property
    def name(self) -> str:
        wire = "private" if self.encrypts_handshake else "public"
        return f"suite-{int(self.suite)}-{wire}" + ("-x509" if self.has_certificates else "")


PLAYS = (
    Play(CipherSuite(1), "openmls", encrypts_handshake=False),
    Play(CipherSuite(2), "ts-mls", encrypts_handshake=True),
    Play(CipherSuite(2), "mls-rs-openssl", encrypts_handshake=False, has_certificates=True),
    Play(CipherSuite(3), "mls-rs-awslc", encrypts_handshake=True),
    Play(CipherSuite(4), "mls-rs-openssl", encrypts_handshake=False),
    Play(CipherSuite(5), "mls-rs-awslc", encrypts_handshake=True),
    Play(CipherSuite(6), "mls-rs-openssl", encrypts_handshake=True),
    Play(CipherSuite(7), "mls-rs-openssl", encrypts_handshake=False),
)


class HeardCircle(Circle):
    """A circle whose witness knows who is speaking, and notes what the others see."""

    def __init__(self, programs: Programs, play: Play, identities: dict[str, Identity]) -> None:
        super().__init__(
            programs,
            play.suite,
            play.founder,
            encrypts_handshake=play.encrypts_handshake,
            identities=identities,
        )

    @property
    def witness(self) -> Witness | None:
        found = self.members.get(NAME)
        assert found is None or isinstance(found, Witness)
        return found

    def client(self, name: str) -> Client:
        if name != NAME:
            return super().client(name)
        identity = self.identity(name)
        client = Witness(self.suite, identity, encrypts_handshake=True)
        client.add_psk(PSK_ID, PSK)
        return client

    def deliver(self, by: str, message: bytes) -> None:
        if self.witness is not None:
            self.witness.speaker = by
        super().deliver(by, message)

    def welcome(self, commit: Commit, newcomers: dict[str, Client]) -> None:
        for client in newcomers.values():
            if isinstance(client, Witness):
                client.speaker = self.founder
        super().welcome(commit, newcomers)

    def say(self, by: str, data: bytes) -> bytes:
        if self.witness is not None:
            self.witness.speaker = by
        return super().say(by, data)

    def noted(self) -> None:
        """All agree, and the witness notes what another stack sees."""
        view = self.agree()
        other = next(name for name in self.members if not name.startswith((STACK, NAME)))
        if self.witness is not None:
            self.witness.expect(view, self.members[other])


def perform(programs: Programs, play: Play) -> dict[str, object]:
    """Play it, with all stacks that support the suite; gives the transcript."""
    stacks = programs.stacks(play.suite)
    peers = [stack for stack in stacks if stack != STACK]
    names = [*stacks, NAME, *(f"{stack}.2" for stack in stacks), *(f"{stack}.3" for stack in stacks)]
    known = identities(play.suite, names) if play.has_certificates else {}
    circle = HeardCircle(programs, play, known)
    circle.learn_psk(PSK_ID, PSK)
    circle.add(play.founder, *(stack for stack in stacks if stack != play.founder))
    circle.agree()
    circle.add(play.founder, NAME)
    circle.noted()
    witness = circle.witness
    assert witness is not None

    def commit(by: str, *proposals: Proposal) -> None:
        circle.commit(by, *proposals)
        circle.noted()

    for stack in stacks:
        circle.say(stack, b"hello from " + stack.encode())
        commit(stack, *([] if stack == STACK else [Psk(PSK_ID)]))

    for number, stack in enumerate(stacks):
        # Everything by reference: the next stack commits what this one and the others propose.
        newcomer = circle.client(f"{stack}.2")
        circle.propose(stack, Add(newcomer.key_package()))
        by = stacks[(number + 1) % len(stacks)]
        for other in stacks:
            if other != by and number == 0 and other != "ts-mls":
                circle.propose(other, Update())
        made = circle.commit(by)
        circle.welcome(made, {f"{stack}.2": newcomer})
        circle.noted()

    seen = {STACK}
    for number, stack in enumerate(stacks):
        holder = peers[(number + 1) % len(peers)]
        if holder == stack:
            holder = STACK
        info = circle[holder].group_info()
        if holder not in seen and not play.has_certificates:
            witness.speaker = holder
            witness.see(info)
            seen.add(holder)
        circle.enter(holder, f"{stack}.3")
        circle.noted()
        if number == 0:
            circle.enter(holder, f"{stack}.3", in_place=True)
            circle.noted()
        commit(holder, Remove(circle.leaf(f"{stack}.2")), Remove(circle.leaf(f"{stack}.3")))
    if {play.suite} <= SUITES and not play.has_certificates:
        required = RequiredCapabilities((PRIVATE_EXTENSION,), (), ())
        about = Extension(PRIVATE_EXTENSION, b"a group of many stacks")
        commit("mls-rs-awslc", Extensions((required.to_extension(), about)))
        commit("ts-mls", Resumption(circle.agree().epoch - 1))
        newcomer = circle.client("ts-mls.4")
        circle.deliver("ts-mls.4", newcomer.propose_self(circle[STACK].group_info()))
        circle.welcome(circle.commit("mls-rs-openssl"), {"ts-mls.4": newcomer})
        circle.noted()
    for stack in stacks:
        circle.say(stack, b"goodbye from " + stack.encode())
    circle.remove(peers[-1], NAME)
    return {
        "about": "A group of several MLS stacks, as a listening client hears it; made by make peers",
        "stacks": {name: programs.by_name[name].hello.version for name in peers},
        "cipher_suite": int(play.suite),
        "now": int(time.time()),
        "psks": {text(PSK_ID): text(PSK)},
        "export": [EXPORT_LABEL, b64encode(EXPORT_CONTEXT).decode(), EXPORT_LENGTH],
        **witness.keys,
        "steps": witness.steps,
    }


def record_all() -> None:
    """Play every play and write the transcripts anew."""
    GOLDEN.mkdir(exist_ok=True)
    with ExitStack() as stack:
        programs = Programs([stack.enter_context(Program(name)) for name in NAMES])
        for play in PLAYS:
            transcript = perform(programs, play)
            steps = transcript.pop("steps")
            assert isinstance(steps, list)
            head = json.dumps(transcript, indent=1)[:-2]
            lines = ",\n".join("  " + json.dumps(step, separators=(",", ":")) for step in steps)
            path = GOLDEN / f"{play.name}.json"
            path.write_text(f'{head},\n "steps": [\n{lines}\n ]\n}}\n')
            print(f"{path.name}: {len(steps)} messages, {path.stat().st_size // 1024} kB")
