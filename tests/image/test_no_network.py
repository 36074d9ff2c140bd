"""A device that starts without a network: it is ready, says so, and does what waited once the cable is in."""

import json
from pathlib import Path
from typing import Any

from tests.image import namespace
from tests.image.eventually import eventually
from tests.image.machine import Machine
from tests.image.told import RESTARTS
from tests.pebble import Pebble

DOMAIN = "room.example.com"
LOOPBACK = "127.0.0.9"
"""Where the CA's look at the device's port 80 arrives."""


async def plug(device: Machine, *, is_in: bool) -> None:
    await device.qmp.execute("set_link", name="nic0", up=is_in)


async def ctl(device: Machine, *words: str) -> Any:
    """`conclavectl` at the device itself: nobody else reaches it."""
    return json.loads(await device.root.run(f"conclavectl {' '.join(words)} --json"))


async def test_a_certificate_that_was_asked_for_is_had_once_there_is_a_network(
    device: Machine, tmp_path: Path
) -> None:
    async with Pebble(tmp_path / "ca", address=namespace.HUB) as ca:
        await ca.add_a(DOMAIN, LOOPBACK)
        await device.admin.ctl("config", "apply", "-", stdin=_settings(ca))
        await plug(device, is_in=False)
        await device.root.try_run(f"timeout 20 conclavectl identity enroll {DOMAIN}")
        await device.kill()
        await device.start()
        await plug(device, is_in=False)
        await device.until_ready()
        status = await ctl(device, "status")
        told = " / ".join(problem["text"] for problem in status["problems"])
        assert status["identity"]["state"] != "enrolled"
        assert "asked for again by itself" in told
        assert "nobody is shown as verified" in told

        await device.monitor(f"hostfwd_add net0 tcp:{LOOPBACK}:{ca.http_port}-:80")
        await plug(device, is_in=True)

        async def has_it() -> bool:
            identity = (await ctl(device, "identity", "show"))["identity"]
            return bool(identity["state"] == "enrolled" and identity["domain"] == DOMAIN)

        await eventually(has_it, "the certificate")
        assert await device.root.run(RESTARTS) == "0\n"


def _settings(ca: Pebble) -> str:
    quote = json.dumps
    return (
        f"[acme]\ndirectory_url = {quote(ca.directory_url)}\nca_pem = {quote(ca.ca_file.read_text())}\n"
        'agree_terms = true\nchallenge = "http-01"\n'
    )
