"""A certificate for a device without a CA's server: its request is carried out, the chain is carried in."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.image.admin import Admin
from tests.pki import TestAuthority


async def certify(admin: Admin, domain: str, authority: TestAuthority) -> ec.EllipticCurvePublicKey:
    """Give a device a certificate for `domain`, and return the key that it is for. Raises AdminError."""
    csr = (await admin.ctl("identity", "csr", domain))["csr"]
    key = x509.load_pem_x509_csr(csr.encode()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    chain = (x509.load_der_x509_certificate(der) for der in authority.issue(key, dns=[domain]))
    pem = "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)
    await admin.ctl("identity", "import-chain", "-", stdin=pem)
    return key


async def trust(admin: Admin, authority: TestAuthority) -> None:
    """Have a device believe the authority for end-to-end identity. Raises AdminError."""
    await admin.ctl("trust", "add", "-", "--label", "tests", "--kind", "verified", stdin=authority.root_pem)
