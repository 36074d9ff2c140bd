"""Drives a peer's program: one JSON request a line, one answer a line, and a deadline for each."""

import json
import os
import select
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from conclaved.mls import CipherSuite
from conclaved.mls.extension import encode_extensions
from tests.peers.build import PeerError, command
from tests.peers.client import (
    Add,
    Basic,
    Commit,
    Extensions,
    Identity,
    Kind,
    Lineage,
    Proposal,
    Psk,
    Received,
    ReInit,
    Remove,
    Resumption,
    Update,
    View,
)

ANSWER_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0


class PeerRefused(PeerError):  # noqa: N818 - says what is the case
    """The peer's library raised: what it says is in the message."""


class PeerTimeout(PeerError):  # noqa: N818 - says what is the case
    """The peer did not answer in time; it has been stopped."""


class PeerGone(PeerError):  # noqa: N818 - says what is the case
    """The peer's program has ended, or says what is no answer."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a peer's program says of itself."""

    name: str
    version: str
    suites: tuple[CipherSuite, ...]


class Program:
    """A running program of one stack; hosts any number of clients. A context manager."""

    def __init__(self, name: str, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Start it; builds it first if the cache has it not. Raises PeerMissing, PeerGone."""
        self.name = name
        self.answer_timeout_s = answer_timeout_s
        self._clients = 0
        self._unread = b""
        self._process = subprocess.Popen(
            command(name), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            answer = self.ask({"operation": "hello"})
        except BaseException:
            self.stop()
            raise
        suites = tuple(CipherSuite(number) for number in answer["suites"])
        self.hello = Hello(answer["peer"], answer["version"], suites)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def client(self, suite: CipherSuite, identity: Identity, *, encrypts_handshake: bool) -> "PeerClient":
        """A new client. PeerRefused if the stack does not support the suite or identity."""
        self._clients += 1
        client = PeerClient(self, f"{self._clients}")
        client.ask("client", suite=int(suite), encrypts_handshake=encrypts_handshake, **_fields(identity))
        return client

    def ask(self, request: dict[str, Any]) -> Any:
        """One request and its answer. Raises PeerRefused, PeerTimeout, PeerGone."""
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            raise PeerGone(f"{self.name} has been stopped")
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError as error:
            raise PeerGone(f"{self.name} has ended") from error
        try:
            answer = json.loads(self._read_line())
        except ValueError as error:
            raise PeerGone(f"{self.name} says what is no JSON") from error
        if "error" in answer:
            raise PeerRefused(f"{self.name} refuses {request['operation']}: {answer['error']}")
        return answer["ok"]

    def _read_line(self) -> bytes:
        stdout = self._process.stdout
        if stdout is None:
            raise PeerGone(f"{self.name} has no output")
        deadline = time.monotonic() + self.answer_timeout_s
        poll = select.poll()
        poll.register(stdout, select.POLLIN)
        while b"\n" not in self._unread:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not poll.poll(left_s * 1000):
                self.stop()
                raise PeerTimeout(f"{self.name} did not answer in {self.answer_timeout_s:.0f} s")
            more = os.read(stdout.fileno(), 1 << 16)
            if not more:
                raise PeerGone(f"{self.name} has ended")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def stop(self) -> None:
        """End the program; idempotent."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _fields(identity: Identity) -> dict[str, Any]:
    if isinstance(identity, Basic):
        return {
            "credential": "basic",
            "identity": identity.identity.hex(),
            "roots": _hex(identity.roots),
        }
    private_key, public_key = raw_key_pair(identity.key)
    return {
        "credential": "x509",
        "certificates": _hex(identity.certificates),
        "private_key": private_key.hex(),
        "public_key": public_key.hex(),
        "roots": _hex(identity.roots),
    }


def _hex(items: Sequence[bytes]) -> list[str]:
    return [item.hex() for item in items]


def raw_key_pair(key: PrivateKeyTypes) -> tuple[bytes, bytes]:
    """Both halves of a signature key as MLS encodes them: scalar and point, or EdDSA's native bytes."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        private = key.private_numbers().private_value.to_bytes(size, "big")
        point = key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return private, point
    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return key.private_bytes_raw(), key.public_key().public_bytes_raw()
    raise TypeError(f"no signature key of a cipher suite: {type(key).__name__}")


def _proposal(proposal: Proposal) -> dict[str, Any]:
    match proposal:
        case Add(key_package):
            return {"type": "add", "key_package": key_package.hex()}
        case Update():
            return {"type": "update"}
        case Remove(leaf):
            return {"type": "remove", "leaf": leaf}
        case Psk(psk_id):
            return {"type": "psk", "psk_id": psk_id.hex()}
        case Resumption(epoch):
            return {"type": "resumption", "epoch": epoch}
        case Extensions(extensions):
            return {"type": "extensions", "extensions": encode_extensions(extensions).hex()}
        case ReInit(group_id):
            return {"type": "reinit", "group_id": group_id.hex()}


class PeerClient:
    """One client inside a peer's program. All methods raise PeerRefused, PeerTimeout, PeerGone."""

    def __init__(self, program: Program, name: str) -> None:
        self._program = program
        self._name = name

    @property
    def stack(self) -> str:
        return self._program.name

    def ask(self, operation: str, **fields: Any) -> Any:
        return self._program.ask({"operation": operation, "client": self._name, **fields})

    def _bytes(self, operation: str, **fields: Any) -> bytes:
        return bytes.fromhex(self.ask(operation, **fields))

    def key_package(self) -> bytes:
        return self._bytes("key_package")

    def create(self, group_id: bytes) -> None:
        self.ask("create", group_id=group_id.hex())

    def join(self, welcome: bytes) -> None:
        self.ask("join", welcome=welcome.hex())

    def join_externally(self, group_info: bytes, replaces: int | None = None) -> bytes:
        return self._bytes("join_externally", group_info=group_info.hex(), replaces=replaces)

    def propose_self(self, group_info: bytes) -> bytes:
        return self._bytes("propose_self", group_info=group_info.hex())

    def group_info(self) -> bytes:
        return self._bytes("group_info")

    def add_psk(self, psk_id: bytes, psk: bytes) -> None:
        self.ask("add_psk", psk_id=psk_id.hex(), psk=psk.hex())

    def propose(self, proposal: Proposal) -> bytes:
        return self._bytes("propose", **_proposal(proposal))

    def commit(self, proposals: list[Proposal]) -> Commit:
        answer = self.ask("commit", proposals=[_proposal(each) for each in proposals])
        welcome = answer["welcome"]
        return Commit(bytes.fromhex(answer["message"]), None if welcome is None else bytes.fromhex(welcome))

    def merge(self) -> None:
        self.ask("merge")

    def discard(self) -> None:
        self.ask("discard")

    def process(self, message: bytes) -> Received:
        answer = self.ask("process", message=message.hex())
        return Received(Kind(answer["kind"]), bytes.fromhex(answer.get("data", "")))

    def protect(self, data: bytes) -> bytes:
        return self._bytes("protect", data=data.hex())

    def continue_as(self, lineage: Lineage, group_id: bytes, key_packages: list[bytes]) -> bytes:
        return self._bytes(
            "continue_as",
            lineage=lineage.value,
            group_id=group_id.hex(),
            key_packages=_hex(key_packages),
        )

    def join_continuation(self, lineage: Lineage, welcome: bytes) -> None:
        self.ask("join_continuation", lineage=lineage.value, welcome=welcome.hex())

    def export(self, label: str, context: bytes, length: int) -> bytes:
        return self._bytes("export", label=label.encode().hex(), context=context.hex(), length=length)

    def view(self) -> View:
        answer = self.ask("state")
        return View(
            answer["epoch"],
            bytes.fromhex(answer["epoch_authenticator"]),
            bytes.fromhex(answer["tree_hash"]),
            answer["own_leaf"],
            tuple((leaf, bytes.fromhex(identity)) for leaf, identity in answer["members"]),
        )
