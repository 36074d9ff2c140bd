"""A whole room in this process: real key store, simulated hardware, no bus."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal import config as hal_config
from conclave_hal.panel import PanelView
from conclave_hal.simulated.mute_switch import SimulatedMuteSwitch
from conclave_hal.simulated.privacy_switch import SimulatedPrivacySwitch
from conclaved.bus.record import Recorder
from conclaved.identity import BelievedClock, KeyBackend, KeyStore, SealedBackend, SoftwareSigner
from conclaved.service.config import AcmeConfig, Config
from conclaved.service.hardware import Hardware
from conclaved.service.provisioning_config import ProvisioningConfig
from conclaved.service.room import ConclaveRoom
from conclaved.service.settings import SettingsFile
from tests.pki import TestAuthority

DEADLINE_S = 20
PUBLIC_CA = TestAuthority("Public CA")

HAL = """
[panel]
driver = "simulated"

[privacy_switch]
driver = "simulated"

[mute_switch]
driver = "simulated"
"""


class OffLoopSigner(SoftwareSigner):
    """It could be in a TPM, and take half a second: nobody may sign with it in the event loop."""

    def sign(self, data: bytes) -> bytes:
        assert asyncio._get_running_loop() is None, "the event loop waits for a signature"
        return super().sign(data)


class OffLoopBackend(SealedBackend):
    """Sealed files with such keys."""

    def open(self, content: bytes) -> SoftwareSigner:
        return OffLoopSigner(super().open(content)._key)


class TestRoom:
    """A running room and the hands in it."""

    __test__ = False  # pytest would take the name for a test class

    def __init__(self, room: ConclaveRoom, hardware: Hardware, keys: KeyStore, config: Config) -> None:
        self.room = room
        self.hardware = hardware
        self.keys = keys
        self.resume_file = config.runtime_directory / "meeting.json"

    @property
    def shutter(self) -> SimulatedPrivacySwitch:
        switch = self.hardware.devices.privacy_switch
        assert isinstance(switch, SimulatedPrivacySwitch)
        return switch

    @property
    def mute_switch(self) -> SimulatedMuteSwitch:
        switch = self.hardware.devices.mute_switch
        assert isinstance(switch, SimulatedMuteSwitch)
        return switch

    async def panel(self) -> PanelView:
        """What the glass shows once it shows the room as it is now."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                drawn = self.hardware.devices.panel.drawn()
                if drawn is not None and self.room.panel(drawn.serial) == drawn:
                    return drawn
                await asyncio.sleep(0)


@asynccontextmanager
async def running_room(
    folder: Path,
    *,
    service_ca: Path | None = None,
    conference_service: str = "",
    domain: str = "room.example.com",
    countdown_s: float = 60,
    hal: str = HAL,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    read_clock: Callable[[], float] = time.time,
    places: Sequence[KeyBackend] = (),
    acme: AcmeConfig | None = None,
    provisioning: ProvisioningConfig | None = None,
    record: Recorder = lambda record: None,
) -> AsyncIterator[TestRoom]:
    """A room with a certificate (an empty `domain`: without), which trusts the CA that issued it.

    Its keys are made in the first of `places`; without any in sealed files, where no event loop may sign.

    In a folder where another room was, it is that room after a restart.
    """
    config = Config(
        state_directory=folder / "state",
        runtime_directory=folder / "run",
        join_countdown_s=countdown_s,
        service_ca=service_ca,
        conference_service=conference_service,
        acme=acme or AcmeConfig(agree_terms=True),
        provisioning=provisioning or ProvisioningConfig(),
        journal_directory=folder / "journal",
    )
    for directory in (config.state_directory, config.runtime_directory, config.token_directory):
        directory.mkdir(parents=True, exist_ok=True)
    (folder / "hal.toml").write_text(hal)
    devices = hal_config.load(folder / "hal.toml")
    keys = KeyStore(config.state_directory / "identity", *(places or (OffLoopBackend(bytes(range(32))),)))
    if domain and not keys.info.has_certificate:
        signer = keys.signer()
        keys.install_chain(PUBLIC_CA.issue(signer.certificate_public_key, dns=[domain]))
    made: list[Hardware] = []

    def hardware(changed: object, drawn: object) -> Hardware:
        made.append(Hardware(devices, changed, drawn))  # type: ignore[arg-type]
        return made[0]

    room = ConclaveRoom(
        config,
        keys,
        SettingsFile(config.state_directory),
        BelievedClock(read_clock, built_at=int(time.time()) - 1),
        hardware,
        pause=pause,
        record=record,
    )
    if provisioning is None and not room.trust().anchors:
        await room.add_anchor(PUBLIC_CA.root_pem, "public", "verified", ())
    await devices.open()
    running = asyncio.create_task(room.run())
    try:
        yield TestRoom(room, made[0], keys, config)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await devices.close()
