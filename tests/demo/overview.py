"""One web page with the panels of all rooms, live: each in a frame of its own, drawn by its own room.

The page knows the panels' addresses and nothing else: what is in a frame comes from that room's
panel driver alone. It is guarded like the panels are.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from conclave_hal.simulated.page_guard import PageGuard

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Conclave: the rooms of the demo</title>
<link rel="stylesheet" href="style.css">
<h1>Conclave <span>each frame is one room's panel, drawn by that room alone; press its buttons</span></h1>
<main id="rooms"></main>
<script src="rooms.js"></script>
</html>
"""
STYLE = """
body { margin: 0; padding: 1rem; background: #1c2129; color: #eef1f6;
  font: 1rem B612, DejaVu Sans, sans-serif; }
h1 { font-size: 1.1rem; margin: 0 0 0.8rem; }
h1 span { font-weight: normal; color: #aeb6c2; margin-inline-start: 0.8rem; }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 40rem), 1fr)); gap: 1rem; }
figure { margin: 0; }
figcaption { padding: 0.3rem 0; color: #aeb6c2; }
iframe { inline-size: 100%; aspect-ratio: 1280 / 860; border: 1px solid #3a4250; border-radius: 8px; }
"""
SCRIPT = """
const shown = new Set();
async function look() {
  try {
    for (const room of await (await fetch("rooms.json")).json()) {
      if (shown.has(room.url)) continue;
      shown.add(room.url);
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      const frame = document.createElement("iframe");
      caption.textContent = room.name;
      frame.title = room.name;
      frame.src = room.url;
      figure.append(caption, frame);
      document.getElementById("rooms").append(figure);
    }
  } catch { /* the demo has ended, or is about to begin */ }
  setTimeout(look, 500);
}
look();
"""


class Overview:
    """The page's server."""

    def __init__(self) -> None:
        self._guard = PageGuard()
        self._rooms: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        """The page's address, token included."""
        return self._guard.url

    @property
    def origin(self) -> str:
        """Whom the panels let frame them."""
        return self._guard.origin

    def add(self, name: str, url: str) -> None:
        """Show one more panel."""
        self._rooms.append({"name": name, "url": url})

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator["Overview"]:
        """Serve on a free loopback port."""
        async with serve(
            _no_socket, "127.0.0.1", 0, process_request=self._answer, server_header=None
        ) as server:
            self._guard.listening("127.0.0.1", next(iter(server.sockets)).getsockname()[1])
            yield self

    def _answer(self, connection: ServerConnection, request: Request) -> Response:
        resource = self._guard.resource(request.path, request.headers)
        answers = {
            "": (PAGE, "text/html"),
            "style.css": (STYLE, "text/css"),
            "rooms.js": (SCRIPT, "text/javascript"),
            "rooms.json": (json.dumps(self._rooms), "application/json"),
        }
        if isinstance(resource, HTTPStatus):
            return _response(resource, resource.phrase, "text/plain")
        if resource not in answers:
            return _response(HTTPStatus.NOT_FOUND, "Not Found", "text/plain")
        return _response(HTTPStatus.OK, *answers[resource])


def _response(status: HTTPStatus, text: str, content_type: str) -> Response:
    body = text.encode()
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "frame-src http://127.0.0.1:*; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = Headers(
        {
            "Content-Type": f"{content_type}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
        }
    )
    return Response(status.value, status.phrase, headers, body)


async def _no_socket(connection: ServerConnection) -> None:
    await connection.close()
