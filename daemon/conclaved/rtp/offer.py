"""What the conference service gives a client so that it can send and receive media.

    struct {
        uint8  version = 1;
        opaque host<1..255>;          /* length in one byte; ASCII name or address */
        uint16 port;
        uint32 audio_ssrc;
        uint32 video_ssrc;
        opaque send_key[30];          /* SRTP master key (16) and salt (14), client to relay */
        opaque receive_key[30];       /* relay to client */
    } MediaOffer;

These keys are hop by hop: they keep strangers on the network out, not the service. What is
inside is sealed end to end by SFrame.
"""

from dataclasses import dataclass, field

from conclaved.rtp.errors import MalformedPacketError, RtpUsageError

SRTP_KEY_BYTES = 30
"""Master key (16) and master salt (14) of AES_CM_128_HMAC_SHA1_80 (RFC 3711 §8.2)."""
_VERSION = 1
_TAIL_BYTES = 2 + 4 + 4 + 2 * SRTP_KEY_BYTES


@dataclass(frozen=True, slots=True)
class MediaOffer:
    """Where to send media, under which identifiers and hop-by-hop keys."""

    host: str
    port: int
    audio_ssrc: int
    """Ours to use for the microphone; the relay drops anything else that we send."""
    video_ssrc: int
    """Ours to use for the camera."""
    send_key: bytes = field(repr=False)
    """30 bytes: SRTP master key and salt of what we send."""
    receive_key: bytes = field(repr=False)
    """30 bytes: SRTP master key and salt of what we receive."""

    def __post_init__(self) -> None:
        if not (self.host.isascii() and self.host.isprintable() and 1 <= len(self.host) <= 255):
            raise RtpUsageError("host is 1 to 255 printable ASCII characters")
        if not 1 <= self.port <= 0xFFFF:
            raise RtpUsageError("port is 1 to 65535")
        if self.audio_ssrc == self.video_ssrc or not all(
            0 <= ssrc <= 0xFFFF_FFFF for ssrc in (self.audio_ssrc, self.video_ssrc)
        ):
            raise RtpUsageError("SSRCs are two different 32-bit numbers")
        if len(self.send_key) != SRTP_KEY_BYTES or len(self.receive_key) != SRTP_KEY_BYTES:
            raise RtpUsageError(f"SRTP keys have {SRTP_KEY_BYTES} bytes")
        if self.send_key == self.receive_key:
            raise RtpUsageError("one SRTP key for both directions would use a keystream twice")

    def encode(self) -> bytes:
        """The bytes of the struct above."""
        return (
            bytes((_VERSION, len(self.host)))
            + self.host.encode("ascii")
            + self.port.to_bytes(2, "big")
            + self.audio_ssrc.to_bytes(4, "big")
            + self.video_ssrc.to_bytes(4, "big")
            + self.send_key
            + self.receive_key
        )

    @classmethod
    def decode(cls, data: bytes) -> "MediaOffer":
        """The offer in `data`, which it fills exactly. Raises MalformedPacketError."""
        if len(data) < 2 or data[0] != _VERSION:
            raise MalformedPacketError("media offer has an unknown version")
        end = 2 + data[1]
        if len(data) != end + _TAIL_BYTES:
            raise MalformedPacketError("media offer has the wrong length")
        numbers, keys = data[end : end + 10], data[end + 10 :]
        try:
            return cls(
                data[2:end].decode("ascii"),
                int.from_bytes(numbers[:2], "big"),
                int.from_bytes(numbers[2:6], "big"),
                int.from_bytes(numbers[6:], "big"),
                bytes(keys[:SRTP_KEY_BYTES]),
                bytes(keys[SRTP_KEY_BYTES:]),
            )
        except (UnicodeDecodeError, RtpUsageError) as error:
            # The cause would show the bytes it failed on.
            raise MalformedPacketError(f"media offer: {type(error).__name__}") from None
