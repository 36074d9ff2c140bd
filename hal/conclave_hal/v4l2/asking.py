"""Asking a node from the event loop: in a worker, with a deadline, and woken by its events."""

import asyncio
import contextlib
import select
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

from conclave_hal.errors import DeviceTimeoutError
from conclave_hal.v4l2.node import Node
from conclave_hal.worker import Worker

DEADLINE_S = 6.0
"""For a control to be read or set: uvcvideo itself gives a camera five seconds."""

T = TypeVar("T")


class AskedNode:
    """An open node whose every answer is waited for in its own thread. One event loop owns it."""

    def __init__(self, node: Node, worker: Worker) -> None:
        """Use `opened`."""
        self._node = node
        self._worker = worker

    async def ask(self, question: Callable[[Node], T]) -> T:
        """What `question` finds. Raises its HalError, or DeviceTimeoutError."""
        return await _answer(self._worker, self._node.path, question, self._node)

    def next_event(self) -> tuple[int, int] | None:
        """(control, value) of what has changed, or None. Never blocks."""
        return self._node.next_event()

    @contextlib.contextmanager
    def urgent(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever the node has something urgent to say, or has gone.

        The kernel tells of events as POLLPRI, which asyncio does not wait for; an epoll instance that
        does is itself a descriptor that asyncio can read.
        """
        woken = asyncio.Event()
        loop = asyncio.get_running_loop()
        with select.epoll() as urgent:
            urgent.register(self._node.fileno(), select.EPOLLPRI)
            loop.add_reader(urgent.fileno(), woken.set)
            try:
                yield woken
            finally:
                loop.remove_reader(urgent.fileno())


@contextlib.asynccontextmanager
async def opened(path: str, open_node: Callable[[str], Node]) -> AsyncIterator[AskedNode]:
    """Open a node for as long as the context lasts. Raises DeviceGoneError."""
    worker = Worker(f"node {path}")
    # Shielded: a node that opens after nobody waits for it any more has to be closed all the same.
    opening = asyncio.ensure_future(worker.call(open_node, path))
    try:
        try:
            node = await _in_time(path, asyncio.shield(opening))
        except BaseException:
            opening.add_done_callback(_close_late)
            raise
        try:
            yield AskedNode(node, worker)
        finally:
            node.close()
    finally:
        # It may hang in the kernel, and then ends when that lets it go.
        worker.abandon()


async def _answer(worker: Worker, path: str, function: Callable[..., T], *arguments: object) -> T:
    return await _in_time(path, worker.call(function, *arguments))


async def _in_time(path: str, answer: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await answer
    except TimeoutError as error:
        raise DeviceTimeoutError(f"{path} does not answer for {DEADLINE_S:g} s") from error


def _close_late(opening: "asyncio.Future[Node]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
