"""Asking a node from the event loop."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from conclave_hal.v4l2.asking import opened
from conclave_hal.v4l2.node import Node


async def test_a_node_that_opens_after_nobody_waits_any_more_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "node"
    file.touch()
    lets_go = threading.Event()
    made: list[Node] = []

    def slow(path: str) -> Node:
        lets_go.wait()
        made.append(Node(path))
        return made[0]

    async def use() -> None:
        async with opened(str(file), slow):
            raise AssertionError("it was opened for nobody")

    using = asyncio.create_task(use())
    await asyncio.sleep(0)
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    lets_go.set()
    async with asyncio.timeout(20):
        while not made or made[0].fileno() >= 0:  # noqa: ASYNC110 - a thread opens it
            await asyncio.sleep(0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(made[0].fileno())
