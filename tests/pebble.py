"""A real ACME server for tests and the demo: Debian's `pebble`, with `pebble-challtestsrv` as its DNS.

Both listen on free loopback ports and stop with the context. Every name resolves to 127.0.0.1 unless `add_a`
says otherwise, so several rooms can answer http-01 on one port, each on a loopback address of its own.
"""

import asyncio
import contextlib
import functools
import json
import os
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.pki import TestAuthority

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
_ATTEMPTS = 3

_HOOK = """#!{python}
import json, sys, urllib.request
action, name, value = sys.argv[1:]
body = {{"host": name + "."}}
if action == "present":
    body["value"] = value
path = {{"present": "set-txt", "cleanup": "clear-txt"}}[action]
urllib.request.urlopen("{url}/" + path, json.dumps(body).encode(), timeout=10).close()
"""


class PebbleError(Exception):
    """Pebble did not start, or its management interface refused."""


class Pebble:
    """An ACME server in a folder of its own (its configuration, API certificate and logs).

    ``nonce_reject``: how many percent of good nonces it rejects. ``validity_s``: the life of its
    certificates. ``blocklist``: domains it refuses. ``eab_keys``: key ids and base64url MAC keys; with any,
    an account needs an external binding. ``alternate_roots``: how many other roots it offers chains to.
    ``dns_server``: whom it asks about DNS, in the place of `pebble-challtestsrv`. ``program``: a newer
    Pebble, which takes ``profiles``: each one's name and the life of its certificates in seconds.
    ``address``: where its ACME API listens, for clients that are not on this machine's loopback.
    """

    def __init__(
        self,
        directory: Path,
        *,
        nonce_reject: int = 5,
        validity_s: int = 47 * 86400,
        blocklist: Sequence[str] = (),
        eab_keys: Mapping[str, str] | None = None,
        alternate_roots: int = 0,
        chain_length: int = 1,
        authorization_reuse: int = 0,
        dns_server: str | None = None,
        program: str = "pebble",
        profiles: Mapping[str, int] | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.directory = directory
        self.address = address
        self.ca_file = directory / "api-ca.pem"
        self.dns_hook = directory / "dns-hook"
        self.directory_url = ""
        self.management_url = ""
        self.dns_management_url = ""
        self.dns_address = ""
        self.http_port = 0
        self.tls_port = 0
        self._dns_server = dns_server
        self.root_pem = ""
        self._config: dict[str, object] = {
            "externalAccountBindingRequired": bool(eab_keys),
            "externalAccountMACKeys": dict(eab_keys or {}),
            "domainBlocklist": list(blocklist),
            "certificateValidityPeriod": validity_s,
            "ocspResponderURL": "",
        }
        if profiles is not None:
            self._config["profiles"] = {
                name: {"description": name, "validityPeriod": seconds} for name, seconds in profiles.items()
            }
            self._config["keyAlgorithm"] = "ecdsa"
        self._program = program
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_WFE_NONCEREJECT": str(nonce_reject),
            "PEBBLE_ALTERNATE_ROOTS": str(alternate_roots),
            "PEBBLE_CHAIN_LENGTH": str(chain_length),
            "PEBBLE_AUTHZREUSE": str(authorization_reuse),
        }
        self._ports: dict[str, str | int] = {}
        self._processes: list[asyncio.subprocess.Process] = []
        self._tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        self._prepare()
        for attempt in range(_ATTEMPTS):
            try:
                self._choose_ports()
                await self._start()
                return self
            except PebbleError:
                # A port that was free a moment ago may have been taken meanwhile.
                await self._stop()
                if attempt == _ATTEMPTS - 1:
                    raise
            except BaseException:
                await self._stop()
                raise
        raise AssertionError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def restart(self) -> None:
        """Starts it anew at the same addresses: it forgets accounts, orders, DNS records and its own CA."""
        await self._stop()
        await self._start()

    async def stop(self) -> None:
        """Stops it early, as a server that went away."""
        await self._stop()

    async def add_a(self, name: str, *addresses: str) -> None:
        """Lets ``name`` resolve to these IPv4 addresses."""
        await self._manage_dns("add-a", {"host": name + ".", "addresses": list(addresses)})

    async def set_servfail(self, name: str) -> None:
        """Lets every question about ``name`` fail."""
        await self._manage_dns("set-servfail", {"host": name + "."})

    def _prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        authority = TestAuthority("Pebble API")
        authority.server_files(self.directory, ips=sorted({"127.0.0.1", self.address}))
        self.ca_file.write_text(authority.root_pem)
        self._tls = ssl.create_default_context(cafile=self.ca_file)

    def _choose_ports(self) -> None:
        api, management, dns, dns_management, self.tls_port, self.http_port = free_ports(6)
        self.directory_url = f"https://{self.address}:{api}/dir"
        self.management_url = f"https://127.0.0.1:{management}"
        self.dns_management_url = f"http://127.0.0.1:{dns_management}"
        self.dns_address = f"127.0.0.1:{dns}"
        self._ports = {
            "listenAddress": f"{self.address}:{api}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
        }

    async def _start(self) -> None:
        config = {
            "certificate": str(self.directory / "server.pem"),
            "privateKey": str(self.directory / "server.key"),
            **self._ports,
            **self._config,
        }
        (self.directory / "pebble.json").write_text(json.dumps({"pebble": config}))
        self.dns_hook.write_text(_HOOK.format(python=sys.executable, url=self.dns_management_url))
        self.dns_hook.chmod(0o755)
        await self._spawn(
            "pebble-challtestsrv",
            *_dns_words(self.dns_address),
            "-management",
            self.dns_management_url.removeprefix("http://"),
            *("-http01", "", "-https01", "", "-tlsalpn01", ""),
            *("-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""),
        )
        resolver = self._dns_server or self.dns_address
        await self._spawn(self._program, "-config", "pebble.json", "-dnsserver", resolver)
        await self._wait_until_ready(self.dns_management_url + "/")
        await self._wait_until_ready(self.directory_url)
        self.root_pem = (await self._request(self.management_url + "/roots/0")).decode("ascii")

    async def _spawn(self, program: str, *arguments: str) -> None:
        log_path = self.directory / f"{Path(program).name}.log"
        with log_path.open("ab") as log:
            try:
                process = await asyncio.create_subprocess_exec(
                    program,
                    *arguments,
                    cwd=self.directory,
                    env=self._environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            except FileNotFoundError as error:
                raise RuntimeError(f"{program} is missing: apt-get install pebble") from error
        self._processes.append(process)

    async def _wait_until_ready(self, url: str) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while True:
                    for process in self._processes:
                        if process.returncode is not None:
                            raise PebbleError(f"a program ended at start; see the logs in {self.directory}")
                    try:
                        await self._request(url)
                        return
                    except urllib.error.HTTPError as error:
                        error.close()
                        return  # an answer is an answer
                    except OSError:
                        await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise PebbleError(f"{url} does not answer; see the logs in {self.directory}") from error

    async def _stop(self) -> None:
        processes, self._processes = self._processes, []
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in processes:
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def _manage_dns(self, path: str, body: object) -> None:
        await self._request(f"{self.dns_management_url}/{path}", json.dumps(body).encode())

    async def _request(self, url: str, body: bytes | None = None) -> bytes:
        return await asyncio.to_thread(self._request_blocking, url, body)

    def _request_blocking(self, url: str, body: bytes | None) -> bytes:
        tls = self._tls if url.startswith("https:") else None
        with urllib.request.urlopen(url, body, timeout=5, context=tls) as response:
            content: bytes = response.read()
            return content


def free_ports(count: int) -> list[int]:
    """Different ports that are free for TCP and UDP on every loopback address, at this moment."""
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            tcp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            tcp.bind(("0.0.0.0", 0))  # noqa: S104 - so that 127.0.0.2 and its like are free too
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                ports.append(tcp.getsockname()[1])
        return ports


@functools.cache
def _says_dnsserver() -> bool:
    """Whether `pebble-challtestsrv` is one that calls it so; that one has DNS over HTTPS as well."""
    told = subprocess.run(["pebble-challtestsrv", "-help"], capture_output=True, text=True, check=False)
    return "-dnsserver" in told.stderr + told.stdout


def _dns_words(address: str) -> tuple[str, ...]:
    return ("-dnsserver", address, "-doh", "") if _says_dnsserver() else ("-dns01", address)
