"""The link: one text for one meeting, and its secret in nobody's log."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from conclaved.meeting import InvitationError, Link, LinkSecret, SealError
from conclaved.meeting.admission import verify
from conclaved.meeting.link import NONCE_BYTES, P256_ORDER, PADDING_BYTES
from tests.meeting.cast import PATIENT

SECRET = bytes(range(32))
SEALED = b"a sealed invitation"
LINK = Link("hub.example.com", 443, hashlib.sha256(SEALED).digest(), LinkSecret(SECRET))
TEXT = LINK.encode()
NONCE = bytes(NONCE_BYTES)


def hkdf(label: bytes, length: int) -> bytes:
    """RFC 5869 by hand, with no salt: the reference for what the link derives."""

    def mac(key: bytes, data: bytes) -> bytes:
        h = hmac.HMAC(key, hashes.SHA256())
        h.update(data)
        return h.finalize()

    key, block, out = mac(bytes(32), SECRET), b"", b""
    for i in range(1, 1 + -(-length // 32)):
        block = mac(key, block + b"Conclave 1.0 " + label + bytes([i]))
        out += block
    return out[:length]


def test_a_link_survives_its_text() -> None:
    for link in (
        LINK,
        Link("h", 8443, bytes(32), LinkSecret(SECRET)),
        Link("[::1]", 1, bytes(32), LinkSecret(SECRET)),
    ):
        assert Link.decode(link.encode()) == link
    assert Link.decode(f"  {TEXT}\n") == LINK


def test_the_secret_stands_in_the_fragment_only() -> None:
    before, fragment = TEXT.split("#")
    assert len(fragment) == 43
    assert fragment not in before


DAMAGED = [
    "",
    "hub.example.com",
    TEXT.replace("https", "http"),
    TEXT[:-1],
    TEXT + "A",
    TEXT + "#x",
    TEXT.split("#")[0],
    TEXT.replace("#", "?"),
    TEXT.replace("/m/", "/n/"),
    TEXT.replace("hub.example.com", ""),
    TEXT.replace("hub.example.com", "user@hub.example.com"),
    TEXT.replace("hub.example.com", "hub.example.com:0"),
    TEXT.replace("hub.example.com", "hub.example.com:65536"),
    TEXT.replace("hub.example.com", "hub.example.com:٣"),
    TEXT.replace("hub.example.com", "hub.example.com/x"),
    TEXT.replace("hub.example.com", "hüb.example.com"),
    TEXT.replace("#", "#\n"),
    TEXT[:60] + " " + TEXT[61:],
    TEXT[:60] + "!" + TEXT[61:],
    # 43 characters hold two bits more than 32 bytes: only one spelling of them counts.
    TEXT[:-1] + "9",
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_link_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(InvitationError) as caught:
        Link.decode(text)
    assert caught.value.hint


@PATIENT
@given(st.text(max_size=150))
def test_any_text_is_refused_without_another_exception(text: str) -> None:
    with pytest.raises(InvitationError):
        Link.decode(text)


def test_another_invitation_than_the_named_one_is_refused() -> None:
    LINK.check(SEALED)
    with pytest.raises(InvitationError) as caught:
        LINK.check(SEALED + b"x")
    assert "another invitation" in str(caught.value)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_secret_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InvitationError):
        LinkSecret(bytes(length))


def test_address_and_link_key_come_from_the_secret_by_their_labels() -> None:
    secret = LinkSecret(SECRET)
    assert secret.address == hkdf(b"meeting address", 32)
    scalar = int.from_bytes(hkdf(b"link key", 48), "big") % (P256_ORDER - 1) + 1
    numbers = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
    point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    assert secret.link_key().public_key == point


def test_the_link_key_signs() -> None:
    key = LinkSecret(SECRET).link_key()
    verify(key.public_key, key.sign(b"data"), b"data")


def test_what_is_sealed_opens_with_the_same_link_and_purpose_only() -> None:
    sealed = LinkSecret(SECRET).sealer().seal(b"hello", b"lobby", NONCE)
    assert LinkSecret(SECRET).sealer().open(sealed, b"lobby") == b"hello"
    with pytest.raises(SealError):
        LinkSecret(SECRET).sealer().open(sealed, b"invitation")
    with pytest.raises(SealError):
        LinkSecret(bytes(32)).sealer().open(sealed, b"lobby")


@PATIENT
@given(st.integers(min_value=0))
def test_every_changed_bit_of_a_sealed_text_is_noticed(position: int) -> None:
    sealer = LinkSecret(SECRET).sealer()
    sealed = bytearray(sealer.seal(b"hello", b"lobby", NONCE))
    sealed[position // 8 % len(sealed)] ^= 1 << position % 8
    with pytest.raises(SealError):
        sealer.open(bytes(sealed), b"lobby")


@PATIENT
@given(st.binary(max_size=64))
def test_any_bytes_are_refused_without_another_exception(data: bytes) -> None:
    with pytest.raises(SealError):
        LinkSecret(SECRET).sealer().open(data, b"lobby")


def test_sealed_texts_of_like_length_have_one_size() -> None:
    sealer = LinkSecret(SECRET).sealer()
    sizes = {len(sealer.seal(bytes(n), b"lobby", NONCE)) for n in range(PADDING_BYTES - 4)}
    assert sizes == {NONCE_BYTES + PADDING_BYTES + 16}


def test_no_repr_shows_the_secret() -> None:
    secret = LinkSecret(SECRET)
    shown = " ".join(map(repr, (LINK, secret, secret.sealer(), secret.link_key())))
    for trace in (SECRET.hex(), TEXT.split("#")[1], repr(SECRET)[2:-1], "lobby seal"):
        assert trace not in shown
