"""What a driver could leave behind: open descriptors, threads, tasks, and what the event loop watches."""

import asyncio
import gc
import threading
from pathlib import Path

TURNS = 100
TURN_S = 0.01


def present() -> frozenset[str]:
    """Everything of the kind that there is now, each in words."""
    loop = asyncio.get_running_loop()
    found = {f"descriptor {number} ({name})" for number, name in _descriptors().items()}
    # Threads of `asyncio.to_thread` are the loop's own, and end with it.
    found |= {f"thread {t.name}" for t in threading.enumerate() if not t.name.startswith("asyncio_")}
    found |= {
        f"task {task.get_name()} ({getattr(task.get_coro(), '__qualname__', '')})"
        for task in asyncio.all_tasks()
        if task is not asyncio.current_task()
    }
    selector = getattr(loop, "_selector", None)
    if selector is not None:
        found |= {f"the loop watches descriptor {number}" for number in selector.get_map() or ()}
    return frozenset(found)


async def left_since(before: frozenset[str]) -> frozenset[str]:
    """What is there now and was not before; what is still about to end is waited for."""
    for turn in range(TURNS):
        if turn in (0, TURNS // 2):
            gc.collect()
        left = present() - before
        if not left:
            break
        await asyncio.sleep(TURN_S)
    return left


def _descriptors() -> dict[int, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except OSError:
            # The one of the listing itself.
            continue
    return found
