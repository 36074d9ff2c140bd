"""A camera below the ioctl: what a driver in the kernel would answer, byte for byte in the kernel's layouts.

Its descriptor is one end of a TCP connection, because the kernel tells of out-of-band data on such in the
way in which it tells of a control's event: as POLLPRI.
"""

import contextlib
import errno
import os
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from conclave_hal.errors import DeviceGoneError
from conclave_hal.v4l2 import abi
from conclave_hal.v4l2.abi import ControlId, fourcc
from conclave_hal.v4l2.node import Node

DISCRETE, STEPWISE = 1, 3


@dataclass
class FakeControl:
    """A control's limits and its value."""

    least: int
    most: int
    value: int = 0
    default: int = 0
    refused: frozenset[int] = frozenset()
    """Values within the limits that are not on the menu."""
    flags: int = 0


@dataclass
class FakeCamera:
    """The kernel's side of one node."""

    path: Path
    card: bytes = b"Room\x07 Camera\0garbage"
    capabilities: int = abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING
    sizes: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {"YUYV": [(640, 480)]})
    range: tuple[int, int, int, int, int, int] | None = None
    """Sizes as a range instead: min, max, step of the width, then of the height."""
    intervals: list[tuple[int, int]] = field(default_factory=lambda: [(1, 30)])
    controls: dict[int, FakeControl] = field(default_factory=dict)
    tells_events: bool = True
    is_stiff: bool = False
    """Whether its motors do not move, whatever is set."""
    asked: list[int] = field(default_factory=list)
    """Every request, in order."""

    def __post_init__(self) -> None:
        self._events: deque[tuple[int, int]] = deque()
        self._subscribed: set[int] = set()
        self._ends: list[socket.socket] = []
        self._is_gone = False
        # A driver opens in a thread while a test pulls the plug.
        self._lock = threading.Lock()
        self.plug_in()

    def plug_in(self) -> None:
        """The node is there."""
        self._is_gone = False
        self.path.touch()

    def unplug(self) -> None:
        """The node is not there any more, and what has it open finds out."""
        with self._lock:
            self._is_gone = True
            self.path.unlink(missing_ok=True)
            for end in self._ends:
                # Reset, so that the other end wakes with POLLHUP as on a node that is unregistered.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.close()
            self._ends.clear()
            self._subscribed.clear()

    def close(self) -> None:
        """Let every descriptor go."""
        self.unplug()

    def open_node(self, path: str) -> Node:
        """As the driver opens it, in a thread of its own."""
        with self._lock:
            if self._is_gone:
                raise DeviceGoneError(f"{path}: No such file or directory")
            with socket.create_server(("127.0.0.1", 0)) as server:
                near = socket.create_connection(server.getsockname())
                far, _ = server.accept()
            self._ends.append(far)
        near.setblocking(False)
        return _FakeNode(self, path, near.detach(), far)

    def hang_up(self, end: socket.socket) -> None:
        """A descriptor of the driver's was closed."""
        with self._lock:
            if end in self._ends:
                self._ends.remove(end)
            end.close()

    def move(self, control: ControlId, value: int) -> None:
        """A hand moves the shutter."""
        self.controls[control].value = value
        if control in self._subscribed:
            self._events.append((control, value))
            for end in self._ends:
                end.send(b"!", socket.MSG_OOB)

    def wake(self) -> None:
        """Something urgent that is no event."""
        for end in self._ends:
            end.send(b"?", socket.MSG_OOB)

    def ioctl(self, descriptor: int, request: int, buffer: bytearray) -> int:
        """As `fcntl.ioctl`."""
        if self._is_gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        self.asked.append(request)
        answers = {
            abi.QUERYCAP: self._querycap,
            abi.ENUM_FMT: self._enum_fmt,
            abi.ENUM_FRAMESIZES: self._enum_framesizes,
            abi.ENUM_FRAMEINTERVALS: self._enum_frameintervals,
            abi.QUERYCTRL: self._queryctrl,
            abi.G_CTRL: self._g_ctrl,
            abi.S_CTRL: self._s_ctrl,
            abi.SUBSCRIBE_EVENT: self._subscribe,
        }
        if request == abi.DQEVENT:
            buffer[:] = self._dqevent(descriptor)
        elif request in answers:
            buffer[:] = answers[request](bytes(buffer))
        else:
            raise _refusal(errno.ENOTTY)
        return 0

    def _querycap(self, asked: bytes) -> bytes:
        said = self.capabilities
        return abi.CAPABILITY.pack(b"fake", self.card, b"usb-1", 0x060000, said | abi.CAP_DEVICE_CAPS, said)

    def _enum_fmt(self, asked: bytes) -> bytes:
        index, kind, *_ = abi.FORMAT.unpack(asked)
        if kind != 1 or index >= len(self.sizes):
            raise _refusal(errno.EINVAL)
        code = list(self.sizes)[index]
        return abi.FORMAT.pack(index, kind, 0, code.encode(), fourcc(code), 0)

    def _enum_framesizes(self, asked: bytes) -> bytes:
        index, pixel_format, *_ = abi.FRAME_SIZE.unpack(asked)
        if self.range is not None:
            if index:
                raise _refusal(errno.EINVAL)
            return abi.FRAME_SIZE.pack(index, pixel_format, STEPWISE, *self.range)
        sizes = {fourcc(code): each for code, each in self.sizes.items()}[pixel_format]
        if index >= len(sizes):
            raise _refusal(errno.EINVAL)
        return abi.FRAME_SIZE.pack(index, pixel_format, DISCRETE, *sizes[index], 0, 0, 0, 0)

    def _enum_frameintervals(self, asked: bytes) -> bytes:
        index, pixel_format, width, height, *_ = abi.FRAME_INTERVAL.unpack(asked)
        if index >= len(self.intervals):
            raise _refusal(errno.EINVAL)
        fields = (index, pixel_format, width, height, DISCRETE, *self.intervals[index], 0, 0, 0, 0)
        return abi.FRAME_INTERVAL.pack(*fields)

    def _queryctrl(self, asked: bytes) -> bytes:
        number = abi.QUERY_CONTROL.unpack(asked)[0]
        control = self._control(number)
        limits = (control.least, control.most, 1, control.default)
        return abi.QUERY_CONTROL.pack(number, 1, b"a control", *limits, control.flags)

    def _g_ctrl(self, asked: bytes) -> bytes:
        number, _ = abi.CONTROL.unpack(asked)
        return abi.CONTROL.pack(number, self._control(number).value)

    def _s_ctrl(self, asked: bytes) -> bytes:
        number, value = abi.CONTROL.unpack(asked)
        control = self._control(number)
        if value in control.refused:
            raise _refusal(errno.EINVAL)
        if not self.is_stiff:
            control.value = value
        return asked

    def _subscribe(self, asked: bytes) -> bytes:
        kind, number, _ = abi.EVENT_SUBSCRIPTION.unpack(asked)
        if not self.tells_events or kind != abi.EVENT_CTRL:
            raise _refusal(errno.ENOTTY)
        self._subscribed.add(number)
        return asked

    def _dqevent(self, descriptor: int) -> bytes:
        near = socket.socket(fileno=os.dup(descriptor))
        with near, contextlib.suppress(OSError):
            near.recv(1, socket.MSG_OOB)
        if not self._events:
            raise _refusal(errno.ENOENT)
        number, value = self._events.popleft()
        return abi.EVENT.pack(abi.EVENT_CTRL, abi.EVENT_CTRL_CH_VALUE, 2, value, len(self._events), 0, number)

    def _control(self, number: int) -> FakeControl:
        if number not in self.controls:
            raise _refusal(errno.EINVAL)
        return self.controls[number]


class _FakeNode(Node):
    """Takes the double's end with it when it is closed, as nothing of a kernel would stay."""

    def __init__(self, camera: FakeCamera, path: str, descriptor: int, end: socket.socket) -> None:
        super().__init__(path, ioctl=camera.ioctl, descriptor=descriptor)
        self._camera, self._end = camera, end

    def close(self) -> None:
        super().close()
        self._camera.hang_up(self._end)


def _refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number))
