"""DRM/KMS: the structures and request numbers of a dumb buffer on a screen, and the calls around them.

Layouts are those of the kernel's `include/uapi/drm/drm_mode.h`; a test compiles the header and compares.
Only the legacy calls are used (SETCRTC, DIRTYFB): every driver with a dumb buffer has them.
"""

import ctypes
from ctypes import c_char, c_uint16, c_uint32, c_uint64
from typing import TypeVar

from conclave_hal.pixels.kernel import Kernel, io, iowr

Struct = TypeVar("Struct", bound=ctypes.Structure)

DISCONNECTED = 2
"""DRM_MODE_DISCONNECTED; a panel that nobody can ask is 3, unknown, and there all the same."""
PREFERRED = 1 << 3
"""DRM_MODE_TYPE_PREFERRED."""
CAP_DUMB_BUFFER = 1
TRIES = 5
"""A list may grow between asking how long it is and asking for it."""


class ModeInfo(ctypes.Structure):
    """struct drm_mode_modeinfo"""

    _fields_ = (
        ("clock", c_uint32),
        ("hdisplay", c_uint16),
        ("hsync_start", c_uint16),
        ("hsync_end", c_uint16),
        ("htotal", c_uint16),
        ("hskew", c_uint16),
        ("vdisplay", c_uint16),
        ("vsync_start", c_uint16),
        ("vsync_end", c_uint16),
        ("vtotal", c_uint16),
        ("vscan", c_uint16),
        ("vrefresh", c_uint32),
        ("flags", c_uint32),
        ("type", c_uint32),
        ("name", c_char * 32),
    )


class CardResources(ctypes.Structure):
    """struct drm_mode_card_res"""

    _fields_ = (
        ("fb_id_ptr", c_uint64),
        ("crtc_id_ptr", c_uint64),
        ("connector_id_ptr", c_uint64),
        ("encoder_id_ptr", c_uint64),
        ("count_fbs", c_uint32),
        ("count_crtcs", c_uint32),
        ("count_connectors", c_uint32),
        ("count_encoders", c_uint32),
        ("min_width", c_uint32),
        ("max_width", c_uint32),
        ("min_height", c_uint32),
        ("max_height", c_uint32),
    )


class Crtc(ctypes.Structure):
    """struct drm_mode_crtc"""

    _fields_ = (
        ("set_connectors_ptr", c_uint64),
        ("count_connectors", c_uint32),
        ("crtc_id", c_uint32),
        ("fb_id", c_uint32),
        ("x", c_uint32),
        ("y", c_uint32),
        ("gamma_size", c_uint32),
        ("mode_valid", c_uint32),
        ("mode", ModeInfo),
    )


class Encoder(ctypes.Structure):
    """struct drm_mode_get_encoder"""

    _fields_ = (
        ("encoder_id", c_uint32),
        ("encoder_type", c_uint32),
        ("crtc_id", c_uint32),
        ("possible_crtcs", c_uint32),
        ("possible_clones", c_uint32),
    )


class Connector(ctypes.Structure):
    """struct drm_mode_get_connector"""

    _fields_ = (
        ("encoders_ptr", c_uint64),
        ("modes_ptr", c_uint64),
        ("props_ptr", c_uint64),
        ("prop_values_ptr", c_uint64),
        ("count_modes", c_uint32),
        ("count_props", c_uint32),
        ("count_encoders", c_uint32),
        ("encoder_id", c_uint32),
        ("connector_id", c_uint32),
        ("connector_type", c_uint32),
        ("connector_type_id", c_uint32),
        ("connection", c_uint32),
        ("mm_width", c_uint32),
        ("mm_height", c_uint32),
        ("subpixel", c_uint32),
        ("pad", c_uint32),
    )


class Framebuffer(ctypes.Structure):
    """struct drm_mode_fb_cmd"""

    _fields_ = (
        ("fb_id", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("pitch", c_uint32),
        ("bpp", c_uint32),
        ("depth", c_uint32),
        ("handle", c_uint32),
    )


class FramebufferId(ctypes.Structure):
    """The bare number that RMFB takes."""

    _fields_ = (("fb_id", c_uint32),)


class CreateDumb(ctypes.Structure):
    """struct drm_mode_create_dumb"""

    _fields_ = (
        ("height", c_uint32),
        ("width", c_uint32),
        ("bpp", c_uint32),
        ("flags", c_uint32),
        ("handle", c_uint32),
        ("pitch", c_uint32),
        ("size", c_uint64),
    )


class MapDumb(ctypes.Structure):
    """struct drm_mode_map_dumb"""

    _fields_ = (("handle", c_uint32), ("pad", c_uint32), ("offset", c_uint64))


class DestroyDumb(ctypes.Structure):
    """struct drm_mode_destroy_dumb"""

    _fields_ = (("handle", c_uint32),)


class DirtyFramebuffer(ctypes.Structure):
    """struct drm_mode_fb_dirty_cmd; without clips all of it is dirty."""

    _fields_ = (
        ("fb_id", c_uint32),
        ("flags", c_uint32),
        ("color", c_uint32),
        ("num_clips", c_uint32),
        ("clips_ptr", c_uint64),
    )


class Capability(ctypes.Structure):
    """struct drm_get_cap"""

    _fields_ = (("capability", c_uint64), ("value", c_uint64))


def _request(number: int, struct: type[ctypes.Structure]) -> int:
    return iowr("d", number, ctypes.sizeof(struct))


GET_CAP = _request(0x0C, Capability)
SET_MASTER = io("d", 0x1E)
DROP_MASTER = io("d", 0x1F)
GET_RESOURCES = _request(0xA0, CardResources)
GET_CRTC = _request(0xA1, Crtc)
SET_CRTC = _request(0xA2, Crtc)
GET_ENCODER = _request(0xA6, Encoder)
GET_CONNECTOR = _request(0xA7, Connector)
ADD_FB = _request(0xAE, Framebuffer)
REMOVE_FB = _request(0xAF, FramebufferId)
DIRTY_FB = _request(0xB1, DirtyFramebuffer)
CREATE_DUMB = _request(0xB2, CreateDumb)
MAP_DUMB = _request(0xB3, MapDumb)
DESTROY_DUMB = _request(0xB4, DestroyDumb)

_CONNECTORS = (
    "Unknown",
    "VGA",
    "DVI-I",
    "DVI-D",
    "DVI-A",
    "Composite",
    "SVIDEO",
    "LVDS",
    "Component",
    "DIN",
    "DP",
    "HDMI-A",
    "HDMI-B",
    "TV",
    "eDP",
    "Virtual",
    "DSI",
    "DPI",
    "Writeback",
    "SPI",
    "USB",
)
BUILT_IN = frozenset({"LVDS", "eDP", "DSI", "DPI", "SPI"})
"""Connectors of a panel rather than of a room's screen: they come first."""


class Card:
    """An open card: each call one request, typed."""

    def __init__(self, kernel: Kernel, descriptor: int) -> None:
        self._kernel = kernel
        self.descriptor = descriptor

    def ask(self, request: int, struct: Struct) -> Struct:
        """Do a request; the answer comes in the structure itself. Raises OSError."""
        self._kernel.ioctl(self.descriptor, request, struct)
        return struct

    def become_master(self) -> None:
        """Raises OSError (EACCES, EBUSY) while another program draws."""
        self._kernel.ioctl(self.descriptor, SET_MASTER, None)

    def has_dumb_buffers(self) -> bool:
        """Whether it can show memory that a program writes."""
        return bool(self.ask(GET_CAP, Capability(capability=CAP_DUMB_BUFFER)).value)

    def resources(self) -> tuple[list[int], list[int]]:
        """Numbers of its CRTCs, whose order encoders refer to, and of its connectors."""
        for _ in range(TRIES):
            asked = self.ask(GET_RESOURCES, CardResources())
            crtcs = (c_uint32 * max(1, asked.count_crtcs))()
            connectors = (c_uint32 * max(1, asked.count_connectors))()
            filled = CardResources(
                crtc_id_ptr=ctypes.addressof(crtcs),
                connector_id_ptr=ctypes.addressof(connectors),
                count_crtcs=len(crtcs),
                count_connectors=len(connectors),
            )
            self.ask(GET_RESOURCES, filled)
            if filled.count_crtcs <= len(crtcs) and filled.count_connectors <= len(connectors):
                return list(crtcs[: filled.count_crtcs]), list(connectors[: filled.count_connectors])
        raise OSError(11, "the card's connectors do not come to rest")

    def connector(self, number: int, *, probe: bool) -> tuple[Connector, list[ModeInfo], list[int]]:
        """A connector with its modes and encoders. To `probe` asks the monitor, which takes a while."""
        modes_had, encoders_had = (0, 0) if probe else (1, 1)
        for _ in range(TRIES):
            modes = (ModeInfo * max(1, modes_had))()
            encoders = (c_uint32 * max(1, encoders_had))()
            filled = Connector(
                connector_id=number,
                modes_ptr=ctypes.addressof(modes),
                encoders_ptr=ctypes.addressof(encoders),
                count_modes=modes_had,
                count_encoders=encoders_had,
            )
            self.ask(GET_CONNECTOR, filled)
            if filled.count_modes <= modes_had and filled.count_encoders <= encoders_had:
                return filled, list(modes[: filled.count_modes]), list(encoders[: filled.count_encoders])
            modes_had, encoders_had = filled.count_modes, filled.count_encoders
        raise OSError(11, "the connector's modes do not come to rest")


def connector_name(connector: Connector) -> str:
    """As the kernel names it under /sys/class/drm: `HDMI-A-1`."""
    kind = connector.connector_type
    known = _CONNECTORS[kind] if kind < len(_CONNECTORS) else "Unknown"
    return f"{known}-{connector.connector_type_id}"
