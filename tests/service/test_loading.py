"""What a daemon that waits for a meeting has not loaded: each costs memory and time at every start."""

from pathlib import Path

import pytest

from tests.service.waiting_daemon import loaded_modules

BOARD = Path(__file__).parents[2] / "buildroot/board/qemu-aarch64/overlay/etc/conclave/hal.toml"
"""Real drivers; that their devices are missing here is nothing to them."""
SIMULATED = "".join(
    f'[{slot}]\ndriver = "simulated"\n'
    for slot in ("camera", "microphone", "screen", "speaker", "privacy_switch", "mute_switch", "panel")
)
HEAVY = {
    "av": "FFmpeg: captures, encodes and decodes in a meeting",
    "pylibsrtp": "carries a meeting's media",
    "acme": "orders a certificate",
    "josepy": "signs orders",
    "requests": "speaks to a CA",
    "dns": "looks at a challenge's record",
    "pkcs11": "for a key in a token",
    "tpm2_pytss": "for a key in a TPM",
    "PIL": "draws",
    "segno": "draws QR codes, for who opens the details",
    "serial": "for devices on a serial port",
    "gpiod": "for devices on lines",
    "icalendar": "conclavectl's",
    "rich": "conclavectl's",
    "click": "conclavectl's",
}


@pytest.mark.parametrize(
    ("hal", "needed"),
    [
        pytest.param("", set(), id="no hardware"),
        pytest.param(SIMULATED, set(), id="simulated room"),
        # A panel on pixels is drawn from the first moment on, and a VISCA camera's port is looked for.
        pytest.param(BOARD.read_text(), {"PIL", "serial"}, id="drivers of a board"),
    ],
)
async def test_a_daemon_that_waits_has_loaded_nothing_heavy_that_it_does_not_use(
    hal: str, needed: set[str]
) -> None:
    packages = {name.partition(".")[0] for name in await loaded_modules(hal)}
    assert packages & HEAVY.keys() == needed


async def test_a_device_serves_nothing_and_so_loads_no_server() -> None:
    loaded = await loaded_modules(BOARD.read_text())
    assert not {"websockets.asyncio.server", "conclaved.conference.hub", "http.server"} & loaded
