"""A glass that is a DRM dumb buffer: the panel's first choice, because nothing else can draw over it.

    open -> master -> connector with a monitor -> its mode -> a CRTC -> buffer -> SETCRTC
    show -> write, DIRTYFB, read back      check -> is the monitor there, is our buffer the one scanned out

Whoever opens the card first is its master; a console gives way to one. Another glass of this program on
the same card shares the opening (`cards`). Everything is undone in turn when
any step fails, and by `close`.
"""

import ctypes
import errno
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from ctypes import c_uint32

from PIL import Image

from conclave_hal.errors import DeviceError, DeviceGoneError
from conclave_hal.pixels import drm
from conclave_hal.pixels.cards import OpenCard, claim, give_back, take
from conclave_hal.pixels.glass import Glass, MappedPicture
from conclave_hal.pixels.kernel import Kernel, Mapping

BYTES_PER_PIXEL = 4
"""XRGB8888, which is blue, green, red and nothing in memory."""
_NOT_NEEDED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTTY, errno.EOPNOTSUPP})
"""What DIRTYFB says where the screen is fed from the memory itself."""


class DrmGlass(Glass):
    """One connector of one card."""

    def __init__(self, kernel: Kernel, path: str, wanted: str = "", *, built_in_first: bool = True) -> None:
        """Take the card's connector named `wanted`, or the first free one that has a monitor.

        Raises OSError, DeviceGoneError where no monitor is there, DeviceError where the card cannot do it.
        """
        self._kernel = kernel
        self.name = path
        self._undo = ExitStack()
        try:
            self._open(path, wanted, built_in_first)
        except BaseException:
            self.close()
            raise

    def _open(self, path: str, wanted: str, built_in_first: bool) -> None:
        shared = take(self._kernel, path)
        self._undo.callback(give_back, shared)
        card = self._card = shared.card
        if not card.has_dumb_buffers():
            raise DeviceError(f"{path}: cannot show memory (no dumb buffers)")
        self._connector, self._mode, encoders = self._take_connector(shared, wanted, built_in_first)
        self.name = f"{path} {drm.connector_name(self._connector)}"
        self.width, self.height = self._mode.hdisplay, self._mode.vdisplay
        self._crtc = self._take_crtc(shared, encoders)
        self._buffer = self._make_buffer(card)
        self._scan_out()

    def _take_connector(
        self, shared: OpenCard, wanted: str, built_in_first: bool
    ) -> tuple[drm.Connector, drm.ModeInfo, list[int]]:
        for found in _connectors_with_monitor(shared.card, shared.path, wanted, built_in_first):
            number = found[0].connector_id
            if claim(shared.connectors, number):
                self._undo.callback(shared.connectors.discard, number)
                return found
        raise DeviceError(
            f"{shared.path}: every connector with a monitor is taken",
            hint="name the connector of each screen: connector",
        )

    def _take_crtc(self, shared: OpenCard, encoders: list[int]) -> int:
        for crtc in _crtcs_for(shared.card, self._connector, encoders):
            if claim(shared.crtcs, crtc):
                self._undo.callback(shared.crtcs.discard, crtc)
                return crtc
        raise DeviceError(f"{self.name}: no CRTC is free that can feed it")

    def _make_buffer(self, card: drm.Card) -> MappedPicture:
        dumb = card.ask(
            drm.CREATE_DUMB, drm.CreateDumb(width=self.width, height=self.height, bpp=8 * BYTES_PER_PIXEL)
        )
        self._later(drm.DESTROY_DUMB, drm.DestroyDumb(handle=dumb.handle))
        buffer = card.ask(
            drm.ADD_FB,
            drm.Framebuffer(
                width=self.width,
                height=self.height,
                pitch=dumb.pitch,
                bpp=8 * BYTES_PER_PIXEL,
                depth=24,
                handle=dumb.handle,
            ),
        )
        self._framebuffer = buffer.fb_id
        # It switches the CRTC off as well, so that no old picture stays on the glass.
        self._later(drm.REMOVE_FB, drm.FramebufferId(fb_id=buffer.fb_id))
        where = card.ask(drm.MAP_DUMB, drm.MapDumb(handle=dumb.handle))
        memory = self._kernel.map(card.descriptor, dumb.size, where.offset)
        self._undo.callback(_closed(memory))
        return MappedPicture(memory, self.width * BYTES_PER_PIXEL, self.height, dumb.pitch)

    def _scan_out(self) -> None:
        connectors = (c_uint32 * 1)(self._connector.connector_id)
        self._card.ask(
            drm.SET_CRTC,
            drm.Crtc(
                set_connectors_ptr=ctypes.addressof(connectors),
                count_connectors=1,
                crtc_id=self._crtc,
                fb_id=self._framebuffer,
                mode_valid=1,
                mode=self._mode,
            ),
        )

    def show(self, picture: Image.Image) -> None:
        """Write, tell the driver, and read back."""
        if not self._is_scanned_out():
            self._scan_out()
        self._buffer.write(picture.tobytes("raw", "BGRX"), self.name)
        try:
            self._card.ask(drm.DIRTY_FB, drm.DirtyFramebuffer(fb_id=self._framebuffer))
        except OSError as error:
            if error.errno not in _NOT_NEEDED:
                raise
        if not self._is_scanned_out():
            raise DeviceError(f"{self.name}: another program's picture is on it")

    def check(self) -> None:
        """The monitor is there, our buffer is on it, and holds what was drawn."""
        connector, _, _ = self._card.connector(self._connector.connector_id, probe=False)
        if connector.connection == drm.DISCONNECTED:
            raise DeviceGoneError(f"{self.name}: no monitor is plugged in")
        if not self._is_scanned_out():
            raise DeviceError(f"{self.name}: another program's picture is on it")
        self._buffer.check(self.name)

    def close(self) -> None:
        """Undo everything, the last first. What a card that has gone refuses is undone already."""
        with suppress(OSError):
            self._undo.close()

    def _is_scanned_out(self) -> bool:
        crtc = self._card.ask(drm.GET_CRTC, drm.Crtc(crtc_id=self._crtc))
        return bool(crtc.mode_valid) and crtc.fb_id == self._framebuffer

    def _later(self, request: int, struct: ctypes.Structure) -> None:
        def undo() -> None:
            with suppress(OSError):
                self._card.ask(request, struct)

        self._undo.callback(undo)


def _closed(memory: Mapping) -> Callable[[], None]:
    return memory.close


def _connectors_with_monitor(
    card: drm.Card, path: str, wanted: str, built_in_first: bool
) -> list[tuple[drm.Connector, drm.ModeInfo, list[int]]]:
    """Those that will do, the best first. Raises DeviceGoneError if there is none."""
    _, numbers = card.resources()
    found = []
    names = []
    for number in numbers:
        connector, modes, encoders = card.connector(number, probe=True)
        name = drm.connector_name(connector)
        names.append(name)
        if wanted not in ("", name) or name.startswith("Writeback"):
            continue
        if connector.connection != drm.DISCONNECTED and modes:
            # Stable: the preferred mode first, else the card's own first.
            best = min(modes, key=lambda mode: not mode.type & drm.PREFERRED)
            found.append((connector, best, encoders))
    if wanted and wanted not in names:
        there = ", ".join(names) or "none"
        raise DeviceError(f"{path}: has no connector {wanted}; there are: {there}")
    if not found:
        raise DeviceGoneError(f"{path}: no monitor is plugged in{f' at {wanted}' if wanted else ''}")

    def is_last(each: tuple[drm.Connector, drm.ModeInfo, list[int]]) -> bool:
        is_built_in = drm.connector_name(each[0]).rpartition("-")[0] in drm.BUILT_IN
        return is_built_in is not built_in_first

    return sorted(found, key=is_last)


def _crtcs_for(card: drm.Card, connector: drm.Connector, encoders: list[int]) -> Iterator[int]:
    """The CRTC that feeds the connector now, then those that can."""
    crtcs, _ = card.resources()
    ordered = sorted(encoders, key=lambda number: number != connector.encoder_id)
    for number in ordered:
        encoder = card.ask(drm.GET_ENCODER, drm.Encoder(encoder_id=number))
        if encoder.crtc_id in crtcs and number == connector.encoder_id:
            yield int(encoder.crtc_id)
        for at, crtc in enumerate(crtcs):
            if encoder.possible_crtcs >> at & 1:
                yield crtc
