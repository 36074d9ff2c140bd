"""The simulated microphone: a pure tone, encoded as Opus in packets of 20 ms."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

from conclave_hal.device import AnyDevice, DeviceState, Health
from conclave_hal.drivers import Driver, Slot
from conclave_hal.media import AudioSource, Codec, EncodedFrame
from conclave_hal.options import Option, integer
from conclave_hal.simulated.mute_switch import SimulatedMuteSwitch
from conclave_hal.simulated.paced_device import PacedDevice
from conclave_hal.simulated.tone import FRAME_SAMPLES, SAMPLE_RATE_HZ
from conclave_hal.switches import SwitchPosition

if TYPE_CHECKING:
    from conclave_hal.simulated.tone_encoder import ToneEncoder


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
        self._encoder: ToneEncoder | None = None

    def frames(self) -> AsyncGenerator[EncodedFrame, None]:
        """Packets of 20 ms until `close`; silent ones while the line is cut."""
        return self._captured()

    async def request_keyframe(self) -> None:
        """Every packet decodes alone."""

    def _ready(self, is_capturing: bool) -> DeviceState:
        return DeviceState(Health.READY)

    def _prepare(self) -> None:
        from conclave_hal.simulated.tone_encoder import ToneEncoder  # FFmpeg: see `ffmpeg`

        self._encoder = ToneEncoder(self._options.frequency_hz)

    def _capture(self, tick: int) -> EncodedFrame | None:
        if self._encoder is None:
            return None
        is_cut = self._mute_switch is not None and self._mute_switch.position is SwitchPosition.BLOCKING
        data = self._encoder.packet(tick, is_silent=is_cut)
        return EncodedFrame(Codec.OPUS, data, tick * FRAME_SAMPLES % 2**32) if data else None

    def _release(self) -> None:
        self._encoder = None


def _make(options: MicrophoneOptions, made: Mapping[Slot, AnyDevice]) -> SimulatedMicrophone:
    switch = made.get(Slot.MUTE_SWITCH)
    return SimulatedMicrophone(options, switch if isinstance(switch, SimulatedMuteSwitch) else None)


DRIVER = Driver(MicrophoneOptions, _make)
