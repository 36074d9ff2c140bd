"""QEMU's monitor protocol (docs/interop/qmp-spec.txt of QEMU) on a Unix socket."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any


class QmpError(Exception):
    """QEMU refused a command, or has ended."""


class Qmp:
    """One connection. Commands one after the other; events are kept until somebody waits for them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._answers: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._one_command = asyncio.Lock()
        self._reading = asyncio.create_task(self._read(reader))

    @classmethod
    async def connect(cls, path: Path) -> "Qmp":
        """Connect and leave the mode of negotiation. Raises OSError while QEMU does not listen yet."""
        reader, writer = await asyncio.open_unix_connection(path, limit=2**24)
        await reader.readline()  # its greeting
        self = cls(reader, writer)
        await self.execute("qmp_capabilities")
        return self

    async def close(self) -> None:
        """Hang up."""
        self._reading.cancel()
        await asyncio.wait({self._reading})
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def execute(self, command: str, **arguments: Any) -> Any:
        """What the command returns. Raises QmpError."""
        async with self._one_command:
            line = json.dumps({"execute": command, "arguments": arguments})
            try:
                self._writer.write(line.encode() + b"\n")
                await self._writer.drain()
            except OSError as error:
                raise QmpError(f"{command}: QEMU has ended") from error
            answer = await self._answers.get()
        if answer is None:
            self._answers.put_nowait(None)
            raise QmpError(f"{command}: QEMU has ended")
        if "error" in answer:
            raise QmpError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    async def event(self, *names: str) -> dict[str, Any]:
        """The next event of one of these names; others that come before it are dropped."""
        while True:
            found = await self._events.get()
            if found["event"] in names:
                return found

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            async for line in reader:
                message = json.loads(line)
                if "event" in message:
                    self._events.put_nowait(message)
                else:
                    self._answers.put_nowait(message)
        self._answers.put_nowait(None)
