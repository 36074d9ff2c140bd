"""A real private CA for tests: `step-ca`, with an ACME directory, in a folder of its own."""

import asyncio
import contextlib
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.pebble import free_ports
from tests.pki import TestAuthority, pem_of

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0


class StepCa:
    """Issues certificates of ``validity_s`` for the EKU serverAuth alone. ``dns_server`` is whom it asks."""

    def __init__(self, program: Path, directory: Path, *, dns_server: str, validity_s: int) -> None:
        self.directory = directory
        self.ca_file = directory / "root.crt"
        self.directory_url = ""
        self.http_port = 0
        self.tls_port = 0
        self._program = program
        self._dns_server = dns_server
        self._validity_s = validity_s
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        port, self.http_port, self.tls_port = free_ports(3)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_config(port)
        self.directory_url = f"https://127.0.0.1:{port}/acme/acme/directory"
        with (self.directory / "step-ca.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._program,
                str(self.directory / "ca.json"),
                *("--resolver", self._dns_server, "--insecure"),
                *("--acme-http-port", str(self.http_port), "--acme-tls-port", str(self.tls_port)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            await self._wait_until_ready()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def _write_config(self, port: int) -> None:
        root = TestAuthority("Step Root")
        middle = TestAuthority("Step Middle", parent=root)
        self.ca_file.write_text(root.root_pem)
        (self.directory / "middle.crt").write_text(pem_of([middle.der]))
        key = self.directory / "middle.key"
        key.touch(mode=0o600)
        key.write_bytes(
            middle.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )
        life = f"{self._validity_s}s"
        claims = {"minTLSCertDuration": "1s", "defaultTLSCertDuration": life, "maxTLSCertDuration": life}
        template = (
            '{"sans": {{ toJson .SANs }}, "keyUsage": ["digitalSignature"], "extKeyUsage": ["serverAuth"]}'
        )
        provisioner = {
            "type": "ACME",
            "name": "acme",
            "claims": claims,
            "options": {"x509": {"template": template}},
        }
        config = {
            "root": str(self.ca_file),
            "crt": str(self.directory / "middle.crt"),
            "key": str(key),
            "address": f"127.0.0.1:{port}",
            "dnsNames": ["127.0.0.1"],
            "db": {"type": "badgerv2", "dataSource": str(self.directory / "db")},
            "authority": {"provisioners": [provisioner], "backdate": "0s"},
        }
        (self.directory / "ca.json").write_text(json.dumps(config))

    async def _wait_until_ready(self) -> None:
        context = ssl.create_default_context(cafile=str(self.ca_file))

        def ask() -> None:
            urllib.request.urlopen(self.directory_url, timeout=5, context=context).close()

        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                if self._process is None or self._process.returncode is not None:
                    raise RuntimeError(f"step-ca ended at start; see the log in {self.directory}")
                try:
                    await asyncio.to_thread(ask)
                    return
                except urllib.error.HTTPError as error:
                    error.close()
                    raise
                except OSError:
                    await asyncio.sleep(0.05)

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
