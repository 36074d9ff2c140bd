"""A second kind of ACME server for tests: Debian's `caddy` with its `acme_server`.

It checks http-01 on port 80 and tls-alpn-01 on port 443, and asks the system about names. So it runs with an
`/etc/hosts` of its own, in which names lead to loopback addresses of the test's choice: that needs root.
"""

import asyncio
import contextlib
import json
import os
import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.pebble import free_ports

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0


class Caddy:
    """A CA in a folder of its own. ``names``: where its own lookups lead, name to address."""

    def __init__(self, directory: Path, names: Mapping[str, str]) -> None:
        self.directory = directory
        self.ca_file = directory / "data/pki/authorities/local/root.crt"
        self.directory_url = ""
        self._names = {"localhost": "127.0.0.1", **names}
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        port, unused = free_ports(2)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory_url = f"https://localhost:{port}/acme/local/directory"
        self._write_config(port, unused)
        with (self.directory / "caddy.log").open("ab") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *("unshare", "--mount", "sh", "-c"),
                    'mount --bind "$1" /etc/hosts && exec caddy run --config "$2"',
                    *("caddy", str(self.directory / "hosts"), str(self.directory / "caddy.json")),
                    cwd=self.directory,
                    env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(self.directory)},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            except FileNotFoundError as error:
                raise RuntimeError("unshare is missing: apt-get install util-linux") from error
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._wait_until_ready()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def _write_config(self, port: int, unused: int) -> None:
        lines = [f"{address} {name}" for name, address in self._names.items()]
        (self.directory / "hosts").write_text("\n".join(lines) + "\n")
        server = {
            "listen": [f"127.0.0.1:{port}"],
            "automatic_https": {"disable_redirects": True},
            "routes": [{"handle": [{"handler": "acme_server", "ca": "local", "host": f"localhost:{port}"}]}],
            "tls_connection_policies": [{}],
        }
        issuers = [{"module": "internal"}]
        config = {
            "admin": {"disabled": True},
            "storage": {"module": "file_system", "root": str(self.directory / "data")},
            "apps": {
                "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
                "http": {"http_port": unused, "https_port": port, "servers": {"ca": server}},
                "tls": {
                    "certificates": {"automate": ["localhost"]},
                    "automation": {"policies": [{"subjects": ["localhost"], "issuers": issuers}]},
                },
            },
        }
        (self.directory / "caddy.json").write_text(json.dumps(config))

    async def _wait_until_ready(self) -> None:
        while True:
            if self._process is None or self._process.returncode is not None:
                raise RuntimeError(f"caddy ended at start; see the log in {self.directory}")
            try:
                await asyncio.to_thread(self._ask)
                return
            except OSError:
                await asyncio.sleep(0.05)

    def _ask(self) -> None:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        urllib.request.urlopen(self.directory_url, timeout=5, context=context).close()

    async def _stop(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
