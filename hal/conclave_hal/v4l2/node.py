"""An open Video4Linux node. Blocking: a USB camera may take seconds to answer; it belongs in a worker."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from types import TracebackType

from conclave_hal.errors import DeviceError, DeviceGoneError
from conclave_hal.v4l2 import abi
from conclave_hal.v4l2.abi import ControlId, ControlInfo

MAX_ENTRIES = 256
"""Of any list that a driver in the kernel gives us."""

Ioctl = Callable[[int, int, bytearray], int]
"""`fcntl.ioctl` on a buffer that it may change."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What a node says of itself."""

    driver: str
    card: str
    can_capture: bool
    """It streams pictures; a camera's other nodes carry metadata."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way in which a node delivers pictures."""

    fourcc: int
    width: int
    height: int
    fps: float
    """Pictures in a second; 0 where the driver does not say."""


class Node:
    """One node, opened. Raises DeviceGoneError when it goes, DeviceError for what it refuses."""

    def __init__(self, path: str, *, ioctl: Ioctl = fcntl.ioctl, descriptor: int | None = None) -> None:
        """Open `path`, or take over the open `descriptor`."""
        self.path = path
        self._ioctl = ioctl
        try:
            flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
            self._descriptor = os.open(path, flags) if descriptor is None else descriptor
        except OSError as error:
            raise DeviceGoneError(f"{path}: {error.strerror}", hint=_hint(error)) from error

    def __enter__(self) -> "Node":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor; -1 once closed."""
        return self._descriptor

    def close(self) -> None:
        """Safe to call twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def capability(self) -> Capability:
        """VIDIOC_QUERYCAP."""
        try:
            driver, card, _, _, of_driver, of_node = self._ask(abi.QUERYCAP, abi.CAPABILITY)
        except OSError as error:
            raise self._refused("is not a video device", error) from error
        said = of_node if of_driver & abi.CAP_DEVICE_CAPS else of_driver
        needed = abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING
        return Capability(_text(driver), _text(card), said & needed == needed)

    def modes(self) -> tuple[Mode, ...]:
        """Every format, size and rate. Sizes and rates that come as ranges are given by their ends."""
        return tuple(
            Mode(pixel_format, width, height, fps)
            for pixel_format in self._formats()
            for width, height in self._sizes(pixel_format)
            for fps in self._rates(pixel_format, width, height)
        )

    def control(self, control: ControlId) -> ControlInfo | None:
        """VIDIOC_QUERYCTRL: the control's limits, or None if the node does not have it."""
        try:
            found = self._ask(abi.QUERYCTRL, abi.QUERY_CONTROL, control, 0, b"", 0, 0, 0, 0, 0)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return None
            raise self._refused(f"does not tell of its control {control.name}", error) from error
        if found[7] & abi.CTRL_FLAG_DISABLED:
            return None
        return ControlInfo(control, found[3], found[4], found[6])

    def get(self, control: ControlId) -> int:
        """VIDIOC_G_CTRL."""
        try:
            _, value = self._ask(abi.G_CTRL, abi.CONTROL, control, 0)
        except OSError as error:
            raise self._refused(f"does not tell {control.name}", error) from error
        return int(value)

    def set(self, control: ControlId, value: int) -> None:
        """VIDIOC_S_CTRL."""
        try:
            self._ask(abi.S_CTRL, abi.CONTROL, control, value)
        except OSError as error:
            raise self._refused(f"does not take {value} for {control.name}", error) from error

    def subscribe(self, control: ControlId) -> bool:
        """VIDIOC_SUBSCRIBE_EVENT: whether the node will tell when this control changes."""
        try:
            self._ask(abi.SUBSCRIBE_EVENT, abi.EVENT_SUBSCRIPTION, abi.EVENT_CTRL, control, 0)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return False
            raise self._refused("takes no subscription", error) from error
        return True

    def next_event(self) -> tuple[int, int] | None:
        """VIDIOC_DQEVENT: (control, value) of what has changed, or None if nothing more has. Never blocks."""
        while True:
            try:
                kind, changes, _, value, _, _, control = self._ask(abi.DQEVENT, abi.EVENT)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EAGAIN):
                    return None
                raise self._refused("gives no event", error) from error
            if kind == abi.EVENT_CTRL and changes & abi.EVENT_CTRL_CH_VALUE:
                return control, value

    def _formats(self) -> Iterator[int]:
        for index in range(MAX_ENTRIES):
            fields = (index, abi.BUF_TYPE_VIDEO_CAPTURE, 0, b"", 0, 0)
            found = self._entry(abi.ENUM_FMT, abi.FORMAT, *fields)
            if found is None:
                return
            yield int(found[4])

    def _sizes(self, pixel_format: int) -> Iterator[tuple[int, int]]:
        for index in range(MAX_ENTRIES):
            found = self._entry(abi.ENUM_FRAMESIZES, abi.FRAME_SIZE, index, pixel_format, 0, *[0] * 6)
            if found is None:
                return
            _, _, kind, *ends = found
            if kind == abi.FRMSIZE_TYPE_DISCRETE:
                yield ends[0], ends[1]
                continue
            # min, max, step of the width, then of the height.
            yield from _sizes_within(ends)
            return

    def _rates(self, pixel_format: int, width: int, height: int) -> Iterator[float]:
        for index in range(MAX_ENTRIES):
            fields = (index, pixel_format, width, height, 0, *[0] * 6)
            found = self._entry(abi.ENUM_FRAMEINTERVALS, abi.FRAME_INTERVAL, *fields)
            if found is None:
                if index == 0:
                    yield 0.0
                return
            numerator, denominator = found[5], found[6]
            if numerator > 0 and denominator > 0:
                yield denominator / numerator
            if found[4] != abi.FRMIVAL_TYPE_DISCRETE:
                # The shortest interval is the first of a range: the fastest rate.
                return

    def _entry(self, request: int, layout: Struct, *fields: object) -> tuple[int, ...] | None:
        """One entry of a list, or None past its end (EINVAL) and where there is no such list (ENOTTY)."""
        try:
            return self._ask(request, layout, *fields)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY, errno.ENODATA):
                return None
            raise self._refused("does not list its formats", error) from error

    def _ask(self, request: int, layout: Struct, *fields: object) -> tuple[int, ...]:
        buffer = bytearray(layout.pack(*fields) if fields else layout.size)
        while True:
            try:
                self._ioctl(self._descriptor, request, buffer)
            except InterruptedError:
                continue
            return layout.unpack(buffer)

    def _refused(self, what: str, error: OSError) -> DeviceError | DeviceGoneError:
        reason = error.strerror or str(error)
        if error.errno in (errno.ENODEV, errno.EBADF, errno.ENXIO, errno.ESHUTDOWN):
            return DeviceGoneError(f"{self.path}: {reason}")
        return DeviceError(f"{self.path} {what}: {reason}")


COMMON_SIZES = ((1920, 1080), (1280, 720), (960, 540), (848, 480), (640, 480), (640, 360), (320, 240))
"""Asked for where a driver takes any size of a range."""


def _sizes_within(ends: "list[int]") -> Iterator[tuple[int, int]]:
    least_width, most_width, width_step, least_height, most_height, height_step = ends
    for width, height in COMMON_SIZES:
        if (
            least_width <= width <= most_width
            and least_height <= height <= most_height
            and (width - least_width) % max(1, width_step) == 0
            and (height - least_height) % max(1, height_step) == 0
        ):
            yield width, height
    yield most_width, most_height


def _text(field: object) -> str:
    """A name that a device gave us, made safe to show."""
    data = field if isinstance(field, bytes) else b""
    text = data.partition(b"\0")[0].decode("utf-8", "replace")
    return "".join(letter for letter in text if letter.isprintable())


def _hint(error: OSError) -> str:
    if error.errno == errno.EACCES:
        return "the daemon's user must be in group video"
    if error.errno == errno.EBUSY:
        return "another program uses it"
    return "look into /dev/v4l/by-path for what is plugged in"
