"""A wrapped key is opened apart: it gives what it holds, and may not compute for ever."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from conclaved.identity import unwrapping
from conclaved.identity.errors import WrappedKeyError, WrongSecretError
from conclaved.identity.unwrapping import unwrap
from tests.identity.test_wrapped_key import SECRET, jwe, material


def der(tag: int, content: bytes) -> bytes:
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag]) + (size if len(content) < 128 else bytes([0x80 | len(size)]) + size) + content


def number(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def rsa_bomb() -> bytes:
    """A JWE with an RSA key whose primes (Mersenne's) take ten seconds to check; a longer one takes hours."""
    p, q, e = 2**4423 - 1, 2**4253 - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = (0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    body = base64.encodebytes(der(0x30, b"".join(map(number, numbers)))).decode()
    pem = f"-----BEGIN RSA PRIVATE KEY-----\n{body}-----END RSA PRIVATE KEY-----\n".encode()
    return jwe(pem + material()[1])


def test_it_gives_what_the_wrapping_holds() -> None:
    key, certificate = material()
    found = unwrap(jwe(key + certificate), SECRET)
    assert found.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) == key
    assert [x509.load_der_x509_certificate(found.chain[0])] == x509.load_pem_x509_certificates(certificate)


def test_it_says_why_it_gives_nothing() -> None:
    with pytest.raises(WrongSecretError, match="does not open"):
        unwrap(jwe(b"".join(material())), b"another")
    with pytest.raises(WrappedKeyError) as caught:
        unwrap(b"nothing", SECRET)
    assert (str(caught.value), bool(caught.value.hint)) == ("the file is neither PKCS#12 nor a JWE", True)


def test_a_file_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unwrapping, "CPU_S", 1)
    with pytest.raises(WrappedKeyError, match="too much computing"):
        unwrap(rsa_bomb(), SECRET)
