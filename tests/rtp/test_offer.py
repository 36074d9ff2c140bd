"""The media offer's codec."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.rtp.errors import MalformedPacketError, RtpUsageError
from conclaved.rtp.offer import MediaOffer

OFFER = MediaOffer("2001:db8::7", 40_000, 0x1234, 0xFFFF_FFFF, bytes(range(30)), bytes(range(1, 31)))


def test_what_is_encoded_is_decoded() -> None:
    assert MediaOffer.decode(OFFER.encode()) == OFFER


@given(st.binary(max_size=120))
def test_any_bytes_are_an_offer_or_refused(data: bytes) -> None:
    try:
        offer = MediaOffer.decode(data)
    except MalformedPacketError:
        return
    assert offer.encode() == data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x02" + OFFER.encode()[1:], id="version"),
        pytest.param(OFFER.encode()[:-1], id="cut"),
        pytest.param(OFFER.encode() + b"\0", id="longer"),
        pytest.param(OFFER.encode().replace(b"2001", b"\xff001"), id="host"),
        pytest.param(OFFER.encode()[:13] + bytes(2) + OFFER.encode()[15:], id="port"),
        pytest.param(OFFER.encode()[:-30] + OFFER.send_key, id="one-key"),
    ],
)
def test_a_wrong_offer_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedPacketError):
        MediaOffer.decode(data)


def test_an_impossible_offer_is_not_made() -> None:
    with pytest.raises(RtpUsageError):
        MediaOffer("host", 1, 5, 5, bytes(30), bytes(range(30)))


def test_keys_are_not_shown() -> None:
    assert "key" not in repr(OFFER)
