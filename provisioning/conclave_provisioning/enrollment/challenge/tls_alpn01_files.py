"""tls-alpn-01 (RFC 8737): the answer is a certificate, which the helper `tls_alpn01` shows on port 443.

One file a domain, with the certificate and its key, both made for this one challenge. Whoever had that key
could still not answer in the device's place, but it is readable by its owner only all the same.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from conclave_provisioning.enrollment.challenge.helper_port import HelperPort
from conclave_provisioning.enrollment.challenge.solver import Challenge
from conclave_provisioning.enrollment.errors import ChallengeSetupError
from conclave_provisioning.enrollment.settings import ChallengeKind
from conclave_provisioning.enrollment.state import write_atomically

ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTET_STRING_OF_32 = b"\x04\x20"


class TlsAlpn01:
    """Writes certificate files, `DOMAIN.pem`, into ``directory``."""

    kind = ChallengeKind.TLS_ALPN_01
    settle_s = 0.0

    def __init__(self, directory: Path, helper_port: int | None = None) -> None:
        """``helper_port``: where the helper listens once systemd has started it; None: it runs already."""
        self._directory = directory
        self._helper = HelperPort(helper_port)

    @property
    def patience_s(self) -> float:
        """How long the helper may take to come."""
        return self._helper.patience_s

    def present(self, challenge: Challenge) -> None:
        """Writes the file. Raises `ChallengeSetupError`."""
        path = self._path(challenge)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, answer_pem(challenge), mode=0o600)
        except OSError as error:
            raise ChallengeSetupError(f"{path} cannot be written: {error.strerror}") from error

    def missing(self, challenge: Challenge) -> str:
        """The helper, until it listens; then it sees the file at once."""
        return self._helper.missing()

    def clean_up(self, challenge: Challenge) -> None:
        """Removes the file. Raises `ChallengeSetupError`."""
        path = self._path(challenge)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ChallengeSetupError(f"{path} cannot be removed: {error.strerror}") from error

    def _path(self, challenge: Challenge) -> Path:
        return self._directory / f"{challenge.domain}.pem"


def answer_pem(challenge: Challenge) -> bytes:
    """Key and self-signed certificate, PEM, with the digest of the key authorization (RFC 8737 §3)."""
    key = ec.generate_private_key(ec.SECP256R1())
    digest = hashlib.sha256(challenge.key_authorization.encode("ascii")).digest()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ACME challenge")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(challenge.domain)]), critical=False)
        .add_extension(
            x509.UnrecognizedExtension(ACME_IDENTIFIER, _OCTET_STRING_OF_32 + digest), critical=True
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)
