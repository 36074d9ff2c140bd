"""Who is in a measured group: basic credentials, or certificates under one intermediate and one root."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conclaved.mls import (
    AcceptAny,
    AuthenticationService,
    BasicCredential,
    CipherSuite,
    Credential,
    RemoteError,
    Signer,
    SoftwareSigner,
    X509Credential,
)
from tests.peers.certificates import identities
from tests.peers.client import Certified

SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256


@dataclass(frozen=True, slots=True)
class Client:
    """One who signs, and what it says of itself."""

    signer: Signer
    credential: Credential


@dataclass(frozen=True, slots=True)
class Cast:
    """N + 1 clients: leaves 0 to N - 1, and the newcomer of `warm_add`."""

    clients: list[Client]
    root: bytes | None
    """The DER certificate that all chains end in; None for basic credentials."""

    def judge(self) -> AuthenticationService:
        """A fresh authentication service, as a client has one of its own."""
        return AcceptAny() if self.root is None else ChainJudge(self.root)


class ChainJudge:
    """Verifies each chain of two up to the root: what a CA's customers cannot do without.

    An intermediate is parsed and verified once, however many chains lead through it.
    """

    def __init__(self, root: bytes) -> None:
        self._root = x509.load_der_x509_certificate(root)
        self._intermediates: dict[bytes, x509.Certificate] = {}

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        if not isinstance(credential, X509Credential) or len(credential.certificates) != 2:
            raise RemoteError("no chain of two", rule="RFC 9420 §5.3.1")
        end, above = credential.certificates
        try:
            issuer = self._intermediates.get(above)
            if issuer is None:
                issuer = x509.load_der_x509_certificate(above)
                issuer.verify_directly_issued_by(self._root)
                self._intermediates[above] = issuer
            x509.load_der_x509_certificate(end).verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            raise RemoteError("the chain does not hold", rule="RFC 9420 §5.3.1") from None

    def validate_successor(self, old: Credential, new: Credential) -> None:
        if old != new:
            raise RemoteError("another chain", rule="RFC 9420 §5.3.1")


def cast(n: int, credential: str, folder: Path) -> Cast:
    """Clients for a group of N; certificates and keys are put into `folder` for the peers."""
    if credential == "basic":
        return Cast(
            [
                Client(SoftwareSigner.generate(SUITE), BasicCredential(f"client {index}".encode()))
                for index in range(n + 1)
            ],
            None,
        )
    clients, root = [], b""
    for index, who in enumerate(identities(SUITE, [f"client {index}" for index in range(n + 1)]).values()):
        assert isinstance(who, Certified)
        assert isinstance(who.key, ec.EllipticCurvePrivateKey)
        end, above = who.certificates
        (root,) = who.roots
        (folder / f"leaf-{index}.der").write_bytes(end)
        (folder / f"leaf-{index}.key").write_bytes(
            who.key.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / "intermediate.der").write_bytes(above)
        (folder / "ca.der").write_bytes(root)
        scalar = who.key.private_numbers().private_value.to_bytes(32, "big")
        clients.append(
            Client(SoftwareSigner.from_private_bytes(SUITE, scalar), X509Credential(who.certificates))
        )
    return Cast(clients, root)
