"""A key that comes wrapped under a secret: PKCS#12, and the JWE of RoomOS devices."""

import base64
import json
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from conclaved.identity.errors import WrappedKeyError, WrongSecretError
from conclaved.identity.wrapped_key import decrypt_jwe, read_wrapped_key
from tests.pki import TestAuthority

SECRET = b"ossifrage"
PUBLISHED = (
    b"eyJhbGciOiJkaXIiLCJjaXNjby1hY3Rpb24iOiJhZGQiLCJjaXNjby1rZGYiOnsic2FsdCI6IjVlWlRDQVA0TV9ZIiwidmVyc2lvbiI6"
    b"IjEifSwiZW5jIjoiQTEyOEdDTSJ9..NLNd3V9Te68tkpWD.f5lLVuWNfKfmzYCo1YJfODhQ.PE-wDFWGXFFBeo928cfZ1Q"
)
"""The worked example of the article help.webex.com/nedfu0h; its content is not PEM."""

CA = TestAuthority("Office Root")
HEADER = {
    "alg": "dir",
    "cisco-action": "add",
    "cisco-kdf": {"salt": "5eZTCAP4M_Y", "version": "1"},
    "enc": "A256GCM",
}


def encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def jwe(content: bytes, secret: bytes = SECRET, **changes: object) -> bytes:
    header = {**HEADER, **changes}
    protected = encode(json.dumps(header, separators=(",", ":")).encode())
    length = 16 if header["enc"] == "A128GCM" else 32
    salt = base64.urlsafe_b64decode("5eZTCAP4M_Y=")
    key = Scrypt(salt=salt, length=length, n=32768, r=8, p=1).derive(secret)
    sealed = AESGCM(key).encrypt(b"i" * 12, content, protected)
    return b".".join([protected, b"", encode(b"i" * 12), encode(sealed[:-16]), encode(sealed[-16:])])


def material(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> tuple[bytes, bytes]:
    """A private key and its certificate, PEM each."""
    private = key or ec.generate_private_key(ec.SECP256R1())
    certificate = x509.load_der_x509_certificate(CA.issue(private.public_key(), dns=["room.example.com"])[0])
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, certificate.public_bytes(Encoding.PEM)


def test_the_published_example_opens() -> None:
    assert decrypt_jwe(PUBLISHED, SECRET) == b"this is a PEM file"


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
def test_a_jwe_gives_key_and_chain(enc: str) -> None:
    key, certificate = material()
    found = read_wrapped_key(jwe(key + certificate, enc=enc) + b"\n", SECRET)
    assert [x509.load_der_x509_certificate(found.chain[0])] == x509.load_pem_x509_certificates(certificate)
    assert found.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) == key


def test_key_and_chain_may_come_in_either_order() -> None:
    key, certificate = material()
    assert read_wrapped_key(jwe(certificate + key), SECRET).chain


def test_pkcs12_of_openssl_gives_key_and_chain(tmp_path: Path) -> None:
    key, certificate = material()
    (tmp_path / "room.pem").write_bytes(key + certificate)
    subprocess.run(
        ["openssl", "pkcs12", "-export", "-in", "room.pem", "-out", "room.p12", "-passout", "pass:ossifrage"],
        cwd=tmp_path,
        check=True,
    )
    found = read_wrapped_key((tmp_path / "room.p12").read_bytes(), SECRET)
    assert x509.load_der_x509_certificate(found.chain[0]) == x509.load_pem_x509_certificates(certificate)[0]


def test_a_wrong_secret_is_told_apart() -> None:
    key, certificate = material()
    with pytest.raises(WrongSecretError):
        read_wrapped_key(jwe(key + certificate), b"ossifrags")
    parsed = x509.load_pem_x509_certificates(certificate)[0]
    private = ec.generate_private_key(ec.SECP256R1())
    packed = pkcs12.serialize_key_and_certificates(
        b"room", private, CA_OF(private), None, BestAvailableEncryption(SECRET)
    )
    assert parsed != read_wrapped_key(packed, SECRET).chain
    with pytest.raises(WrongSecretError):
        read_wrapped_key(packed, b"wrong")


def CA_OF(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:  # noqa: N802
    return x509.load_der_x509_certificate(CA.issue(key.public_key(), dns=["room.example.com"])[0])


def test_changed_bytes_do_not_open() -> None:
    head, key, iv, ciphertext, tag = jwe(b"".join(material())).split(b".")
    other = encode(json.dumps({**HEADER, "enc": "A256GCM"}).encode())
    for changed in (
        (other, key, iv, ciphertext, tag),
        (head, key, encode(b"j" * 12), ciphertext, tag),
        (head, key, iv, ciphertext[:-2] + b"AA", tag),
        (head, key, iv, ciphertext, encode(bytes(16))),
    ):
        with pytest.raises(WrappedKeyError):
            read_wrapped_key(b".".join(changed), SECRET)


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "A128KW"},
        {"enc": "A128CBC-HS256"},
        {"enc": ["A128GCM"]},
        {"zip": "DEF"},
        {"crit": ["cisco-kdf"]},
        {"cisco-action": "populate"},
        {"cisco-kdf": {"salt": "5eZTCAP4M_Y", "version": "2"}},
        {"cisco-kdf": {"salt": "5eZT", "version": "1"}},
        {"cisco-kdf": {"salt": 7, "version": "1"}},
        {"cisco-kdf": "1"},
    ],
)
def test_another_header_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(WrappedKeyError) as caught:
        read_wrapped_key(_with_header(changes), SECRET)
    assert not isinstance(caught.value, WrongSecretError)


def _with_header(changes: dict[str, object]) -> bytes:
    head = encode(json.dumps({**HEADER, **changes}).encode())
    return b".".join([head, b"", encode(bytes(12)), encode(b"x"), encode(bytes(16))])


@pytest.mark.parametrize(
    "content",
    [b"", b"\x30\x03\x02\x01\x03", b"....", b"a.b.c.d.e", b"-----BEGIN PRIVATE KEY-----\n", bytes(200_000)],
)
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(WrappedKeyError):
        read_wrapped_key(content, SECRET)


def test_a_key_that_cannot_sign_for_mls_is_refused() -> None:
    key, certificate = material(rsa.generate_private_key(65537, 2048))
    with pytest.raises(WrappedKeyError, match="P-256"):
        read_wrapped_key(jwe(key + certificate), SECRET)


def test_a_key_beside_anothers_certificate_is_refused() -> None:
    with pytest.raises(WrappedKeyError, match="none of the certificates"):
        read_wrapped_key(jwe(material()[0] + material()[1]), SECRET)


@pytest.mark.parametrize(
    "content",
    [b"", b"this is a PEM file", b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"],
)
def test_what_is_no_pem_is_refused_without_quoting_it(content: bytes) -> None:
    with pytest.raises(WrappedKeyError) as caught:
        read_wrapped_key(jwe(content), SECRET)
    assert "AAAA" not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_nothing_shows_the_key() -> None:
    key, certificate = material()
    assert "PRIVATE" not in repr(read_wrapped_key(jwe(key + certificate), SECRET))
