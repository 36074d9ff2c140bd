"""The device's own commands and the real daemon: settings that outlive it, a doctor, a factory reset."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.bus.bus import PrivateBus
from tests.cli.conftest import Cli, Result
from tests.e2e.test_supervision import DEADLINE_S, configure, start
from tests.pki import TestAuthority

PEM = TestAuthority("Office CA").root_pem
DOCUMENT = f"""
join_countdown_s = 20
[acme]
eab_key_id = "kid-1"
eab_mac_key = "cGxhbnRlZC1zZWNyZXQ"
[policy]
minimum_level = "locked"
[[trust.anchors]]
label = "office"
kind = "verified"
pem = '''{PEM}'''
"""


@asynccontextmanager
async def daemon(folder: Path, environment: dict[str, str], cli: Cli) -> AsyncIterator[Any]:
    """A daemon that answers; killed at the end unless it has ended."""
    process = await start(folder, environment)
    try:
        async with asyncio.timeout(DEADLINE_S):
            while (await cli("time")).code:
                assert process.returncode is None, (await process.communicate())[1].decode()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ok(cli: Cli, *words: str, stdin: bytes | None = None) -> Any:
    result: Result = await cli(*words, "--json", stdin=stdin)
    assert result.code == 0, result
    return result.json


async def test_settings_outlive_a_killed_daemon_and_are_taken_back_after(tmp_path: Path) -> None:
    async with PrivateBus() as bus:
        cli, environment = Cli(bus.address), configure(tmp_path, bus.address)
        async with daemon(tmp_path, environment, cli):
            assert (await ok(cli, "config", "apply", "-", stdin=DOCUMENT.encode()))["changed"]
        async with daemon(tmp_path, environment, cli):
            assert not (await ok(cli, "config", "diff", "-", stdin=DOCUMENT.encode()))["changed"]
            shown = await ok(cli, "config", "get")
            assert "cGxhbnRlZC1zZWNyZXQ" not in json.dumps(shown)
            assert not (await ok(cli, "config", "apply", "-", stdin=shown["document"].encode()))["changed"]
            assert (await ok(cli, "policy", "show"))["policy"]["minimum_level"] == "locked"
            assert [a["label"] for a in (await ok(cli, "trust", "list"))["anchors"]] == ["office"]
            assert (await ok(cli, "config", "rollback"))["changed"]
            assert (await ok(cli, "trust", "list"))["anchors"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_daemon_that_is_stopped_in_order_erases_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with PrivateBus() as bus:
        cli, environment = Cli(bus.address), configure(tmp_path, bus.address)
        async with daemon(tmp_path, environment, cli) as process:
            await ok(cli, "config", "apply", "-", stdin=DOCUMENT.encode())
            await ok(cli, "identity", "csr", "room.example.com")
            request = await ok(cli, "identity", "csr")
            process.send_signal(number)
            assert await process.wait() == 0
        async with daemon(tmp_path, environment, cli):
            assert not (await ok(cli, "config", "diff", "-", stdin=DOCUMENT.encode()))["changed"]
            assert key_of(await ok(cli, "identity", "csr")) == key_of(request)


def key_of(answer: Any) -> bytes:
    key = x509.load_pem_x509_csr(answer["csr"].encode()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


async def test_the_daemon_examines_itself(tmp_path: Path) -> None:
    async with PrivateBus() as bus:
        cli, environment = Cli(bus.address), configure(tmp_path, bus.address)
        async with daemon(tmp_path, environment, cli):
            result = await cli("doctor", "--json")
    states = {check["name"]: check["state"] for check in result.json["checks"]}
    assert result.code == 1
    assert (states["certificate"], states["key"], states["clock"]) == ("failed", "unknown", "ok")


async def test_a_factory_reset_ends_the_daemon_and_the_next_is_a_new_room(tmp_path: Path) -> None:
    async with PrivateBus() as bus:
        cli, environment = Cli(bus.address), configure(tmp_path, bus.address)
        async with daemon(tmp_path, environment, cli) as process:
            await ok(cli, "config", "apply", "-", stdin=DOCUMENT.encode())
            serial = (await ok(cli, "status"))["device"]["serial"]
            assert (await ok(cli, "factory-reset", "--confirm", serial))["changed"]
            async with asyncio.timeout(DEADLINE_S):
                _, words = await process.communicate()
            assert process.returncode == 0, words.decode()
        left = {path.name for path in (tmp_path / "state").iterdir()}
        assert left <= {"last-seen-time"}
        async with daemon(tmp_path, environment, cli):
            assert (await ok(cli, "config", "get"))["document"] == ""
            assert (await ok(cli, "trust", "list"))["anchors"] == []


async def test_a_reset_that_was_cut_short_is_ended_at_the_next_start(tmp_path: Path) -> None:
    async with PrivateBus() as bus:
        cli, environment = Cli(bus.address), configure(tmp_path, bus.address)
        async with daemon(tmp_path, environment, cli):
            await ok(cli, "config", "set", "policy.minimum_level", "locked")
        (tmp_path / "state/factory-reset").touch()
        async with daemon(tmp_path, environment, cli):
            assert (await ok(cli, "policy", "show"))["policy"]["minimum_level"] == "standard"
        assert not (tmp_path / "state/factory-reset").exists()
