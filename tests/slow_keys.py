"""A place for keys that is as slow as a real chip, and notes what it signs, and what went on meanwhile.

Whoever lets the event loop wait for it breaks the test.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from conclaved.identity import KeyBackend, Protection, Signer
from conclaved.identity.key_backends import MadeKey
from conclaved.identity.key_backends.turns import Turns
from conclaved.identity.signer import NotCopied


@dataclass(frozen=True, slots=True)
class Signature:
    """One call of `sign`."""

    data: bytes
    thread: int
    before: int
    """What `count` said when it began to wait,"""
    after: int
    """and when it had waited."""


@dataclass(slots=True)
class SlowBackend:
    """`inner` with so many seconds more for each signature, one at a time as a TPM does."""

    inner: KeyBackend
    latency_s: float
    count: Callable[[], int] = lambda: 0
    """Something that goes on while the device works. Called in the thread that signs."""
    signatures: list[Signature] = field(default_factory=list)
    turns: Turns = field(default_factory=Turns)

    @property
    def protection(self) -> Protection:
        return self.inner.protection

    def generate(self) -> MadeKey:
        return self.inner.generate()

    def open(self, content: bytes) -> "SlowSigner":
        return SlowSigner(self, self.inner.open(content))

    def remove(self, content: bytes) -> None:
        self.inner.remove(content)

    def close(self) -> None:
        self.inner.close()


@dataclass(frozen=True, slots=True)
class SlowSigner(NotCopied):
    """A key in it."""

    backend: SlowBackend
    inner: Signer

    @property
    def public_key(self) -> bytes:
        return self.inner.public_key

    @property
    def certificate_public_key(self) -> ec.EllipticCurvePublicKey:
        return self.inner.certificate_public_key

    def sign(self, data: bytes) -> bytes:
        if asyncio._get_running_loop() is not None:
            raise AssertionError("the event loop waits for a signature")
        backend = self.backend
        with backend.turns:
            before = backend.count()
            time.sleep(backend.latency_s)
            signature = self.inner.sign(data)
            backend.signatures.append(Signature(data, threading.get_ident(), before, backend.count()))
        return signature
