"""A graphics card that stands in at the ioctl seam: it does what DRM's legacy calls do, and no more.

It keeps the rules that a driver can break: only the master sets a mode, a list that is too short is not
filled, an object has to exist, and a framebuffer that goes switches its CRTC off. What the kernel does
beyond that, `tests/vm` shows with a real one.
"""

import ctypes
import errno
from ctypes import c_uint32
from dataclasses import dataclass, field

from conclave_hal.pixels import drm
from conclave_hal.pixels.kernel import Mapping

DESCRIPTOR = 77
CRTCS = [31, 32]


@dataclass
class FakeConnector:
    """A socket, with or without a monitor in it."""

    number: int
    kind: int
    modes: list[tuple[int, int, int]] = field(default_factory=list)
    """Width, height, type."""
    is_connected: bool = True
    encoder: int = 41
    current_encoder: int = 0
    connection: int = 1
    """As it says while it is connected: 1, or 3 where it does not know."""


class FakeMemory:
    """Mapped memory; `sticky` bytes do not take what is written."""

    def __init__(self, size: int) -> None:
        self.data = bytearray(size)
        self.is_open = True
        self.is_stuck = False

    def __getitem__(self, where: slice) -> bytes:
        return bytes(self.data[where])

    def __setitem__(self, where: slice, data: bytes) -> None:
        if not self.is_stuck:
            self.data[where] = data

    def close(self) -> None:
        self.is_open = False


@dataclass
class FakeCard:
    """The seam `Kernel`, with one card behind it."""

    connectors: list[FakeConnector] = field(
        default_factory=lambda: [FakeConnector(51, 11, [(1024, 768, 0), (1280, 800, drm.PREFERRED)])]
    )
    padding: int = 0
    """Bytes at the end of each row."""
    has_dumb: bool = True
    is_taken: bool = False
    """Another program is master."""
    is_gone: bool = False
    possible_crtcs: int = 0b10
    crtc_of_encoder: int = 0
    paths: list[str] = field(default_factory=list)
    dumb: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    framebuffers: dict[int, drm.Framebuffer] = field(default_factory=dict)
    scanned: dict[int, int] = field(default_factory=dict)
    """CRTC to framebuffer."""
    memory: FakeMemory | None = None
    dirtied: int = 0
    is_open: bool = False
    dirty_error: int = 0
    probes: int = 0

    def open(self, path: str) -> int:
        if self.is_gone:
            raise OSError(errno.ENOENT, "No such file or directory")
        self.paths.append(path)
        self.is_open = True
        return DESCRIPTOR

    def close(self, descriptor: int) -> None:
        assert descriptor == DESCRIPTOR
        self.is_open = False

    def flush(self, descriptor: int) -> None:
        raise OSError(errno.EINVAL, "a card has DIRTYFB")

    def map(self, descriptor: int, length: int, offset: int) -> Mapping:
        handle = offset >> 12
        _, _, size = self.dumb[handle]
        assert length <= size
        self.memory = FakeMemory(length)
        return self.memory

    def ioctl(self, descriptor: int, request: int, data: ctypes.Structure | None) -> None:
        assert descriptor == DESCRIPTOR
        assert self.is_open
        if self.is_gone:
            raise OSError(errno.ENODEV, "No such device")
        if request == drm.SET_MASTER:
            if self.is_taken:
                raise OSError(errno.EBUSY, "Device or resource busy")
            return
        match data:
            case drm.Capability():
                data.value = int(self.has_dumb)
            case drm.CardResources():
                self._resources(data)
            case drm.Connector():
                self._connector(data)
            case drm.Encoder():
                data.possible_crtcs = self.possible_crtcs
                data.crtc_id = self.crtc_of_encoder
            case drm.CreateDumb():
                data.handle = 9 + len(self.dumb)
                data.pitch = data.width * data.bpp // 8 + self.padding
                data.size = data.pitch * data.height
                self.dumb[data.handle] = (data.width, data.height, data.size)
            case drm.Framebuffer():
                if data.handle not in self.dumb:
                    raise OSError(errno.ENOENT, "no such buffer")
                data.fb_id = 90 + len(self.framebuffers)
                self.framebuffers[data.fb_id] = data
            case drm.FramebufferId():
                del self.framebuffers[data.fb_id]
                self.scanned = {c: f for c, f in self.scanned.items() if f != data.fb_id}
            case drm.MapDumb():
                data.offset = data.handle << 12
            case drm.DestroyDumb():
                del self.dumb[data.handle]
            case drm.DirtyFramebuffer():
                if self.dirty_error:
                    raise OSError(self.dirty_error, "dirty")
                self.dirtied += 1
            case drm.Crtc():
                self._crtc(request, data)
            case _:
                raise OSError(errno.ENOTTY, "no such request")

    def _resources(self, data: drm.CardResources) -> None:
        numbers = [connector.number for connector in self.connectors]
        _fill(data.crtc_id_ptr, data.count_crtcs, CRTCS)
        _fill(data.connector_id_ptr, data.count_connectors, numbers)
        data.count_crtcs, data.count_connectors = len(CRTCS), len(numbers)

    def _connector(self, data: drm.Connector) -> None:
        found = next(c for c in self.connectors if c.number == data.connector_id)
        self.probes += data.count_modes == 0
        modes = found.modes if found.is_connected else []
        if modes and data.count_modes >= len(modes):
            array = (drm.ModeInfo * len(modes)).from_address(data.modes_ptr)
            for at, (width, height, kind) in enumerate(modes):
                array[at].hdisplay, array[at].vdisplay, array[at].type = width, height, kind
        _fill(data.encoders_ptr, data.count_encoders, [found.encoder])
        data.count_modes, data.count_encoders = len(modes), 1
        data.connector_type, data.connector_type_id = found.kind, 1
        data.encoder_id = found.current_encoder
        data.connection = found.connection if found.is_connected else drm.DISCONNECTED

    def _crtc(self, request: int, data: drm.Crtc) -> None:
        if request == drm.GET_CRTC:
            data.fb_id = self.scanned.get(data.crtc_id, 0)
            data.mode_valid = int(data.crtc_id in self.scanned)
            return
        if self.is_taken:
            raise OSError(errno.EACCES, "Permission denied")
        assert data.fb_id in self.framebuffers
        assert data.count_connectors == 1
        number = (c_uint32 * 1).from_address(data.set_connectors_ptr)[0]
        found = next(c for c in self.connectors if c.number == number)
        assert (data.mode.hdisplay, data.mode.vdisplay) in {mode[:2] for mode in found.modes}
        self.scanned[data.crtc_id] = data.fb_id


def _fill(address: int, room: int, values: list[int]) -> None:
    """As the kernel does: all of them, or none."""
    if values and room >= len(values):
        array = (c_uint32 * len(values)).from_address(address)
        for at, value in enumerate(values):
            array[at] = value
