"""A hub that is honest until it is told not to be. A program of its own.

    python -m tests.e2e.hostile_hub --cert hub.pem --key hub.key

On each line of its standard input it takes a command in JSON, and does what a provider can do that
has no key of any meeting. A client is told by its place in the order in which they came, from 0.

    {"do": "hide", "from": 1}       with the next entry of the log that client gets no entry any more,
                                    and no message and no media of the others
    {"do": "show"}                  nothing is hidden any more; what was hidden can be asked for
    {"do": "flood", "per_s": 10000, "seconds": 5}
                                    that many junk lobby messages a second for each client
    {"do": "count"}                 say how much media each client has sent

It says in JSON when it listens, when something was hidden or flooded, and what it counted; times
are of the machine's monotonic clock.
"""

import argparse
import asyncio
import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

from conclaved.conference import hub, wire

JUNK_BYTES = 600
"""About as much as a real request to join."""
SEND_BUFFER_BYTES = 256 * 1024
"""Junk that a client has no time for is not piled up before what the others say: that would be another
attack, holding back beacons, which rooms notice and answer by not sending."""
STEP_S = 0.005
LOOK_S = 0.02


class HostileHub(hub.Hub):
    """See the file's head."""

    def __init__(self) -> None:
        super().__init__()
        self._order: list[int] = []
        self._hides_next_from: int | None = None
        self._hidden_from: int | None = None
        self._last_packet: dict[int, tuple[int, float]] = {}

    async def start(self, host: str, port: int, tls: ssl.SSLContext, *, media_host: str = "") -> int:
        """See Hub.start."""
        taken = await super().start(host, port, tls, media_host=media_host)
        assert self._relay is not None
        send = self._relay._send

        def send_unless_hidden(client: Any, packet: bytes, protect: Callable[[bytes], bytes]) -> bool:
            return client.number != self._hidden_from and send(client, packet, protect)

        self._relay._send = send_unless_hidden  # type: ignore[method-assign]
        return taken

    async def _attend(self, connection: ServerConnection, address: bytes) -> None:
        # The base class numbers its clients in the order in which they come.
        self._order.append(self._numbers + 1)
        await super()._attend(connection, address)

    def _on_message(self, meeting: hub._Meeting, client: hub._Client, message: wire.Message) -> None:
        if isinstance(message, wire.PublishEntry) and self._hides_next_from not in (None, client.number):
            self._hidden_from, self._hides_next_from = self._hides_next_from, None
            say(hidden=meeting.head, at=time.monotonic())
        hidden = self._hidden_from
        if hidden is None or hidden not in meeting.clients:
            super()._on_message(meeting, client, message)
        elif client.number == hidden:
            # What would show it that there is more is not answered; what it says goes to the others.
            if not isinstance(message, wire.ReplayFrom | wire.PublishEntry):
                super()._on_message(meeting, client, message)
        else:
            deaf = meeting.clients.pop(hidden)
            try:
                super()._on_message(meeting, client, message)
            finally:
                meeting.clients[hidden] = deaf

    def hide(self, place: int) -> None:
        """From the next entry on this client is told nothing."""
        self._hides_next_from = self._order[place]

    def show(self) -> None:
        """The log is served again."""
        self._hidden_from = None

    async def watch_media(self) -> None:
        """Note when each client has last sent a packet of media."""
        while True:
            for meeting in self._meetings:
                if self._relay is not None:
                    for number, stats in self._relay.stats(meeting).clients:
                        before, _ = self._last_packet.get(number, (0, 0.0))
                        if stats.packets_received != before:
                            self._last_packet[number] = (stats.packets_received, time.monotonic())
            await asyncio.sleep(LOOK_S)

    def count(self) -> None:
        """Say how many packets of media each client has sent, and when the last one came."""
        places = {number: place for place, number in enumerate(self._order)}
        counts = {places[number]: found for number, found in self._last_packet.items()}
        say(
            packets={place: packets for place, (packets, _) in counts.items()},
            last={place: at for place, (_, at) in counts.items()},
            at=time.monotonic(),
        )

    async def flood(self, per_s: int, seconds: float) -> None:
        """Junk for everybody, written past all queues."""
        junk = [_frame(wire.encode(wire.LobbyData(os.urandom(JUNK_BYTES)))) for _ in range(256)]
        clients = [client for meeting in self._meetings.values() for client in meeting.clients.values()]
        for client in clients:
            to_client = client.connection.transport.get_extra_info("socket")
            to_client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        sent = dict.fromkeys((client.number for client in clients), 0)
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            for client in clients:
                transport = client.connection.transport
                due = min(int(per_s * passed) - sent[client.number], len(junk))
                # A buffer that is never empty would let none of the hub's own messages through.
                if due > 0 and transport.get_write_buffer_size() == 0:
                    transport.write(b"".join(junk[:due]))
                    sent[client.number] += due
            await asyncio.sleep(STEP_S)
        say(flooded=min(sent.values()) / seconds)


def _frame(data: bytes) -> bytes:
    return Frame(Opcode.BINARY, data).serialize(mask=False)


def say(**words: object) -> None:
    """A line of JSON for who started this program."""
    print(json.dumps(words), flush=True)


async def _obey(it: HostileHub) -> None:
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(it.watch_media())
        while line := await asyncio.to_thread(sys.stdin.readline):
            match json.loads(line):
                case {"do": "hide", "from": int(place)}:
                    it.hide(place)
                case {"do": "show"}:
                    it.show()
                case {"do": "flood", "per_s": int(per_s), "seconds": int(seconds)}:
                    tasks.create_task(it.flood(per_s, seconds))
                case {"do": "count"}:
                    it.count()
        watching.cancel()


async def _main(arguments: argparse.Namespace) -> None:
    it = HostileHub()
    port = await it.start("127.0.0.1", 0, hub.server_context(arguments.cert, arguments.key))
    say(port=port)
    await _obey(it)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A hub that does what a bad provider can do.")
    parser.add_argument("--cert", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
