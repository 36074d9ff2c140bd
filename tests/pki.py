"""A certificate authority of the tests' own, which issues what a public one issues in 2026.

By default: a P-256 leaf key, one name in a critical SAN, an empty subject (no CN), the EKU serverAuth and
nothing else, 47 days of life. Every default can be bent, so that a test can ask for the wrong certificate.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH
EMAIL_PROTECTION = ExtendedKeyUsageOID.EMAIL_PROTECTION

PublicKey = bytes | CertificatePublicKeyTypes | ec.EllipticCurvePrivateKey
"""What a certificate can be issued for: a 65-byte P-256 point, a public key, or a P-256 private key."""


def point_of(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> bytes:
    """The uncompressed point of a key: 65 bytes for P-256."""
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
    return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _public(key: PublicKey) -> CertificatePublicKeyTypes:
    if isinstance(key, bytes):
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    return key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key


def _when(moment: datetime | int | None, otherwise: datetime) -> datetime:
    if moment is None:
        return otherwise
    return datetime.fromtimestamp(moment, UTC) if isinstance(moment, int) else moment


class TestAuthority:
    """A certificate authority: a root, or with ``parent`` an intermediate.

    Times are Unix seconds or aware datetimes; the defaults lie around the machine's clock. ``eku``,
    ``permitted_dns`` and ``permitted_email`` go into the authority's own certificate. ``key`` and ``name``
    of another authority make a cross-signed one.
    """

    __test__ = False  # pytest would take the name for a test class

    def __init__(
        self,
        name: str,
        *,
        parent: "TestAuthority | None" = None,
        key: ec.EllipticCurvePrivateKey | None = None,
        not_before: datetime | int | None = None,
        not_after: datetime | int | None = None,
        eku: Sequence[x509.ObjectIdentifier] = (),
        permitted_dns: Sequence[str] = (),
        permitted_email: Sequence[str] = (),
        is_repeatable: bool = False,
    ) -> None:
        """``is_repeatable``: what it issues for one key is the same, byte by byte, each time."""
        self.name = name
        self._is_repeatable = is_repeatable
        self.parent = parent
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = parent or self
        now = datetime.now(UTC).replace(microsecond=0)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(signer.subject)
            .public_key(self.key.public_key())
            .serial_number(self._serial(self.key.public_key()))
            .not_valid_before(_when(not_before, now - timedelta(days=365)))
            .not_valid_after(_when(not_after, now + timedelta(days=3650)))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(is_authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False
            )
        )
        if eku:
            builder = builder.add_extension(x509.ExtendedKeyUsage(eku), critical=False)
        permitted: list[x509.GeneralName] = [x509.DNSName(d) for d in permitted_dns]
        permitted += [x509.RFC822Name(e) for e in permitted_email]
        if permitted:
            builder = builder.add_extension(
                x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True
            )
        self.certificate = signer._sign(builder)

    def _serial(self, key: CertificatePublicKeyTypes) -> int:
        if not self._is_repeatable:
            return x509.random_serial_number()
        digest = x509.SubjectKeyIdentifier.from_public_key(key).digest
        return int.from_bytes(digest[:16], "big") | 1

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self.key, hashes.SHA256(), ecdsa_deterministic=self._is_repeatable or None)

    @property
    def root(self) -> "TestAuthority":
        """The authority at the top."""
        return self.parent.root if self.parent else self

    @property
    def root_pem(self) -> str:
        """The root's certificate, PEM: what an admin would add as an anchor."""
        return self.root.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @property
    def der(self) -> bytes:
        """This authority's own certificate, DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def issue(
        self,
        public_key: PublicKey,
        *,
        dns: Iterable[str] = (),
        email: Iterable[str] = (),
        ips: Iterable[str] = (),
        not_before: datetime | int | None = None,
        not_after: datetime | int | None = None,
        eku: Sequence[x509.ObjectIdentifier] | None = None,
        common_name: str | None = None,
        is_authority: bool = False,
        critical: x509.ExtensionType | None = None,
    ) -> tuple[bytes, ...]:
        """A chain for ``public_key``: DER, leaf first, intermediates after it, no root.

        ``eku`` is serverAuth by default, emailProtection for addresses, and absent if empty. ``critical``
        is one more extension, marked critical. A subject is there only with ``common_name``; without one
        the SAN is critical (RFC 5280 §4.1.2.6).
        """
        names: list[x509.GeneralName] = [x509.DNSName(d) for d in dns]
        names += [x509.RFC822Name(e) for e in email]
        names += [x509.IPAddress(ipaddress.ip_address(i)) for i in ips]
        if eku is None:
            eku = (SERVER_AUTH,) if not any(isinstance(n, x509.RFC822Name) for n in names) else ()
            eku = eku or (EMAIL_PROTECTION,)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
        now = datetime.now(UTC).replace(microsecond=0)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(_public(public_key))
            .serial_number(self._serial(_public(public_key)))
            .not_valid_before(_when(not_before, now - timedelta(hours=1)))
            .not_valid_after(_when(not_after, now + timedelta(days=47)))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(_key_usage(is_authority=is_authority), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=common_name is None)
        if eku:
            builder = builder.add_extension(x509.ExtendedKeyUsage(eku), critical=False)
        if critical is not None:
            builder = builder.add_extension(critical, critical=True)
        leaf = self._sign(builder)
        chain = [leaf.public_bytes(serialization.Encoding.DER)]
        authority = self
        while authority.parent is not None:
            chain.append(authority.der)
            authority = authority.parent
        return tuple(chain)

    def server_files(
        self, directory: Path, *, dns: Iterable[str] = ("localhost",), ips: Iterable[str] = ("127.0.0.1",)
    ) -> tuple[Path, Path]:
        """Writes a TLS server's ``server.pem`` (chain) and ``server.key`` into ``directory``: their paths."""
        key = ec.generate_private_key(ec.SECP256R1())
        chain = self.issue(key, dns=dns, ips=ips)
        certificate_path, key_path = directory / "server.pem", directory / "server.key"
        certificate_path.write_text(pem_of(chain))
        key_path.touch(mode=0o600)
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate_path, key_path


def pem_of(chain: Iterable[bytes]) -> str:
    """A chain of DER certificates as PEM text."""
    return "".join(
        x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM).decode("ascii")
        for der in chain
    )


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
