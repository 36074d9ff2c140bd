"""The simulated microphone: a pure tone, encoded as Opus in packets of 20 ms."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from conclave_hal.device import AnyDevice, DeviceState, Health
from conclave_hal.drivers import Driver, Slot
from conclave_hal.media import AudioSource, Codec, EncodedFrame
from conclave_hal.options import Option, integer
from conclave_hal.simulated.mute_switch import SimulatedMuteSwitch
from conclave_hal.simulated.paced_device import PacedDevice
from conclave_hal.simulated.tone import FRAME_SAMPLES, SAMPLE_RATE_HZ, tone_frames
from conclave_hal.switches import SwitchPosition

_BIT_RATE = 32_000


@dataclass(frozen=True, slots=True)
class MicrophoneOptions:
    """Options of the simulated microphone."""

    frequency_hz: Annotated[int, Option(integer(100, 8000), "pitch of the tone that it hears")] = 440


class SimulatedMicrophone(PacedDevice[DeviceState, EncodedFrame], AudioSource):
    """Hears one tone through a mute switch, if the simulated room has one."""

    def __init__(self, options: MicrophoneOptions, mute_switch: SimulatedMuteSwitch | None = None) -> None:
        super().__init__("the simulated microphone", Fraction(FRAME_SAMPLES, SAMPLE_RATE_HZ))
        self._options = options
        self._mute_switch = mute_switch
        self._tone: list[bytes] = []
        self._encoder: AudioCodecContext | None = None

    def frames(self) -> AsyncGenerator[EncodedFrame, None]:
        """Packets of 20 ms until `close`; silent ones while the line is cut."""
        return self._captured()

    async def request_keyframe(self) -> None:
        """Every packet decodes alone."""

    def _ready(self, is_capturing: bool) -> DeviceState:
        return DeviceState(Health.READY)

    def _prepare(self) -> None:
        self._tone = tone_frames(self._options.frequency_hz)
        encoder = av.CodecContext.create("libopus", "w")
        encoder.sample_rate, encoder.format, encoder.layout = SAMPLE_RATE_HZ, "s16", "mono"
        encoder.time_base = Fraction(1, SAMPLE_RATE_HZ)
        encoder.bit_rate = _BIT_RATE
        encoder.options = {"frame_duration": "20", "application": "audio", "compression_level": "4"}
        encoder.open()
        self._encoder = encoder

    def _capture(self, tick: int) -> EncodedFrame | None:
        if self._encoder is None:
            return None
        is_cut = self._mute_switch is not None and self._mute_switch.position is SwitchPosition.BLOCKING
        heard = bytes(2 * FRAME_SAMPLES) if is_cut else self._tone[tick % len(self._tone)]
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
        frame.pts = tick * FRAME_SAMPLES
        frame.planes[0].update(heard)
        data = b"".join(bytes(packet) for packet in self._encoder.encode(frame))
        return EncodedFrame(Codec.OPUS, data, tick * FRAME_SAMPLES % 2**32) if data else None

    def _release(self) -> None:
        self._encoder = None


def _make(options: MicrophoneOptions, made: Mapping[Slot, AnyDevice]) -> SimulatedMicrophone:
    switch = made.get(Slot.MUTE_SWITCH)
    return SimulatedMicrophone(options, switch if isinstance(switch, SimulatedMuteSwitch) else None)


DRIVER = Driver(MicrophoneOptions, _make)
