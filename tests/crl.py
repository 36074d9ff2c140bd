"""Lists of revoked certificates, as a CA would publish them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.pki import TestAuthority


def crl_of(
    authority: TestAuthority,
    revoked: Iterable[int] = (),
    *,
    number: int | None = 1,
    made: int = 1_700_000_000,
    until: int = 4_000_000_000,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """A list (DER) of the serial numbers in `revoked`; `made` and `until` in Unix seconds."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(datetime.fromtimestamp(made, UTC))
        .next_update(datetime.fromtimestamp(until, UTC))
    )
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    for serial in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(datetime.fromtimestamp(made, UTC))
            .build()
        )
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.DER)


def serial_of(chain: tuple[bytes, ...]) -> int:
    """The serial number of a chain's leaf."""
    return x509.load_der_x509_certificate(chain[0]).serial_number
