"""The relay: every frame goes to everybody, some late, and who opens it is held against the truth."""

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from conclaved.sframe import Opened
from conclaved.sframe.header import parse
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.world import World

RELAY_S = 0.02
LATE_SHARE = 0.06
STRAGGLER_S = 0.5


@dataclass(frozen=True)
class Frame:
    """A frame that was sent, by its owner or by somebody in its name."""

    number: int
    sender: str
    leaf: int
    """In whose name."""
    transcript: bytes
    base_key: bytes
    ciphertext: bytes = field(repr=False)
    is_forged: bool = False


class Media:
    """Sends frames and judges who can open them."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.frames: list[Frame] = []
        self.is_muted = False
        """Whether all are muted: people say nothing, and nobody is to take that for a fault."""

    def send(self, device: "Device") -> None:
        """A device that may send does so."""
        stay, world = device.stay, self.world
        assert stay is not None
        world.judge.lock.on_send(device, stay)
        if self.is_muted or device.is_service_end:
            return
        number = len(self.frames)
        ciphertext = device.keyring.protect(0, number.to_bytes(4, "big"), b"", world.loop.now)
        frame = Frame(number, device.label, stay.keys.own_leaf, stay.transcript, stay.base_key, ciphertext)
        self.relay(frame)
        world.judge.keys.on_frame(frame)

    def relay(self, frame: Frame) -> None:
        """Carry a frame to everybody else, some of it late."""
        self.frames.append(frame)
        kid, ctr, _ = parse(frame.ciphertext)
        if not frame.is_forged:
            self.world.crypto.nonces.note(frame.base_key, b"media %d %d" % (kid, ctr))
        rng, loop = self.world.rng, self.world.loop
        for device in self.world.devices:
            if device.label == frame.sender or not device.is_running:
                continue
            late = rng.uniform(0.4, 12.0) if rng.random() < LATE_SHARE else 0.0
            loop.after(RELAY_S + late, partial(self.hand_over, device, frame))

    def hand_over(self, device: "Device", frame: Frame) -> None:
        """A frame reaches a device."""
        if any(weather.is_cut for weather in device.path.weather):
            return
        opened = device.hear_frame(frame.ciphertext)
        if opened is not None:
            self.opened(device, opened, frame)
            device.frame_opened(opened)

    def opened(self, device: "Device", opened: Opened, frame: Frame | None) -> None:
        """A device has opened a frame: `frame`, or one that waited for its epoch."""
        found = frame or self.frames[int.from_bytes(opened.plaintext[:4], "big")]
        judge, now = self.world.judge, self.world.loop.now
        judge.count("who is not on the roster has no key for a frame sent after")
        if not device.had_key_in(self.world.truth.epochs[found.transcript].members):
            judge.broken(
                "who is not on the roster has no key for a frame sent after",
                f"{device.label} opened a frame of {found.sender}",
            )
        if opened.leaf_index != found.leaf:
            raise Violation("a frame has its origin", f"{device.label} took leaf {found.leaf} for another")
        self._judge_age(device, opened, found, now)

    def _judge_age(self, device: "Device", opened: Opened, frame: Frame, now: float) -> None:
        stay = next((s for s in device.stays if s.transcript == frame.transcript), None)
        judge, name = self.world.judge, "keys older than the grace are gone"
        if stay is None:
            judge.broken(name, f"{device.label} opened a frame of a group that it has left")
            return
        origin = opened.leaf_index, opened.context_id
        for older in device.stays:
            if older.entered < stay.entered:
                older.moved.setdefault(origin, now)
        if stay.left is None:
            return
        judge.count(name)
        if stay.expires is None or now > stay.expires:
            judge.broken(name, f"{device.label} opened a frame of epoch {stay.keys.epoch} after its grace")
        if opened.leaf_index in stay.closed_leaves:
            judge.broken(name, f"{device.label} opened a removed member's frame of epoch {stay.keys.epoch}")
        if now > stay.moved.get(origin, now) + STRAGGLER_S:
            judge.broken(name, f"{device.label} opened an old frame of one who had moved on")
