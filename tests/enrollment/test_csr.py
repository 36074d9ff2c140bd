"""Requests for a key that is elsewhere."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from conclave_provisioning.enrollment import LocalEnrollmentError, build_csr
from conclave_provisioning.enrollment.csr import _DelegatedKey
from tests.enrollment.signers import KeyInMemory


def test_a_request_names_the_domain_in_its_san_and_nothing_else() -> None:
    signer = KeyInMemory()
    request = x509.load_der_x509_csr(build_csr(signer, "room.example.com"))
    assert request.is_signature_valid
    assert request.public_key() == signer.certificate_public_key
    san = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert (list(request.subject), san.critical) == ([], True)
    assert list(san.value) == [x509.DNSName("room.example.com")]
    assert signer.signatures == 1


def test_a_key_that_signs_wrongly_makes_no_request() -> None:
    signer, other = KeyInMemory(), KeyInMemory()
    signer._key, other_key = other._key, signer._key

    class TwoFaced(KeyInMemory):
        @property
        def certificate_public_key(self) -> ec.EllipticCurvePublicKey:
            return other_key.public_key()

    with pytest.raises(LocalEnrollmentError, match="signs wrongly"):
        build_csr(TwoFaced(), "room.example.com")


def test_the_private_key_cannot_be_asked_for() -> None:
    key = _DelegatedKey(KeyInMemory())
    with pytest.raises(LocalEnrollmentError):
        key.private_numbers()
    with pytest.raises(LocalEnrollmentError):
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(LocalEnrollmentError):
        key.exchange(ec.ECDH(), ec.generate_private_key(ec.SECP256R1()).public_key())
