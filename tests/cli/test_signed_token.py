"""The command line's own reading of signed tokens, against tokens that the daemon signs."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.signed_token import read_object, read_token
from conclaved.identity import SoftwareSigner, jws
from tests.pki import TestAuthority

TYP = "conclave-test+jws"
SIGNER = SoftwareSigner.generate()
CA = TestAuthority("Office CA")
CHAIN = CA.issue(SIGNER.public_key, dns=["room.example.com"])
TOKEN = jws.sign(b'{"a": 1}', SIGNER, CHAIN, typ=TYP)
HEADER, PAYLOAD, SIGNATURE = TOKEN.split(".")


def read(text: str) -> Any:
    return read_token(text, typ=TYP, what="the record")


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def resigned(change: Callable[[dict[str, Any]], object]) -> str:
    """A token whose header was bent before it was signed: only its form is wrong."""
    header = json.loads(base64.urlsafe_b64decode(HEADER + "=="))
    change(header)
    return signed(json.dumps(header))


def signed(header: str) -> str:
    text = f"{encode(header.encode())}.{PAYLOAD}"
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    r, s = decode_dss_signature(SIGNER.sign(text.encode()))
    return f"{text}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def test_a_token_of_the_daemons_is_read() -> None:
    token = read(TOKEN)
    assert token.payload == b'{"a": 1}'
    assert len(token.chain) == len(CHAIN)


def test_the_bent_headers_below_are_signed_rightly() -> None:
    assert read(resigned(lambda header: None)).payload == b'{"a": 1}'


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("place", [0, 7, 40, -2])
def test_a_token_that_was_changed_anywhere_is_not_genuine(part: int, place: int) -> None:
    parts = TOKEN.split(".")
    if place >= len(parts[part]):
        place = 1
    old = parts[part][place]
    new = "A" if old != "A" else "B"
    changed = list(parts[part])
    changed[place] = new
    parts[part] = "".join(changed)
    with pytest.raises(CommandError) as caught:
        read(".".join(parts))
    assert caught.value.kind is ErrorKind.NOT_GENUINE


def test_a_changed_payload_is_said_to_be_changed() -> None:
    with pytest.raises(CommandError, match="the record was changed after it was signed"):
        read(f"{HEADER}.{encode(b'{}')}.{SIGNATURE}")


RSA_LIKE = TestAuthority("Other").issue(ec.generate_private_key(ec.SECP384R1()), dns=["a.example.com"])


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        TOKEN + ".x",
        TOKEN + "=",
        f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-4]}",
        f"{HEADER}.{PAYLOAD}.",
        jws.sign(b"{}", SIGNER, CHAIN, typ="conclave-invitation+jws"),
        resigned(lambda header: header.update(alg="none")),
        resigned(lambda header: header.update(alg="HS256")),
        resigned(lambda header: header.update(crit=["x"])),
        resigned(lambda header: header.update(jku="https://evil.example")),
        resigned(lambda header: header.pop("typ")),
        resigned(lambda header: header.update(x5c=[])),
        resigned(lambda header: header.update(x5c=header["x5c"] * 9)),
        resigned(lambda header: header.update(x5c=["MAA="])),
        resigned(lambda header: header.update(x5c=[7])),
        resigned(lambda header: header.update(x5c=[base64.b64encode(RSA_LIKE[0]).decode()])),
        signed("[]"),
        signed('{"alg": "ES256", "alg": "ES256", "typ": "conclave-test+jws", "x5c": []}'),
        signed("[" * 100_000),
    ],
    ids=str.__len__,
)
def test_what_is_no_token_of_this_type_is_not_genuine(token: str) -> None:
    with pytest.raises(CommandError) as caught:
        read(token)
    assert caught.value.kind is ErrorKind.NOT_GENUINE
    assert caught.value.message.startswith("the record ")


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"[" * 100_000])
def test_a_payload_that_is_no_object_is_not_genuine(payload: bytes) -> None:
    with pytest.raises(CommandError) as caught:
        read_object(payload, "the record")
    assert caught.value.kind is ErrorKind.NOT_GENUINE
