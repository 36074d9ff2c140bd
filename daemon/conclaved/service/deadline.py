"""A deadline for all of a conversation over HTTP, and not for each piece of it.

`http.client` waits anew for each byte: who sends one now and then holds a worker thread for days, of which
there are few, and keeps the daemon from ending.
"""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def hanging_up(connection: http.client.HTTPConnection, after_s: float) -> Iterator[None]:
    """Inside, `connection`, which is not connected yet, ends after so many seconds; it is closed at the end.

    Whatever is waited for then raises OSError or HTTPException.
    """
    connect = socket.create_connection
    kept: list[socket.socket] = []
    is_over = threading.Event()

    def create(*arguments: Any, **options: Any) -> socket.socket:
        made = connect(*arguments, **options)
        # TLS takes the socket itself over: this one stays to hang up by.
        kept.append(made.dup())
        if is_over.is_set():
            hang_up()
        return made

    def hang_up() -> None:
        is_over.set()
        for each in kept:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    connection._create_connection = create  # type: ignore[attr-defined]  # there is no other way in between
    timer = threading.Timer(after_s, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
        if is_over.is_set():
            # What came until then looks like a whole answer where its length was not told.
            raise TimeoutError("the server did not end its answer in time")
    finally:
        timer.cancel()
        timer.join()
        connection.close()
        for each in kept:
            each.close()
