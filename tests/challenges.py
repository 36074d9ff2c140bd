"""The port-80 helper, for a room that runs in the test's own process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conclave_provisioning.enrollment.http01 import ChallengeServer


@contextmanager
def answering(directory: Path, address: tuple[str, int]) -> Iterator[None]:
    """Serve the answers to http-01 that lie in a folder."""
    server = ChallengeServer(address, directory)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
