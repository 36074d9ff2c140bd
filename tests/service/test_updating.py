"""A bundle of firmware comes to the daemon; root judges it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.service import updating
from conclaved.service.system_units import SystemUnit, UnitFailedError
from conclaved.service.updating import MAX_BYTES, MAX_CHUNK, Places, Updating
from conclaved.updates import Progress, Refusal, Stage

PART = b"bundle" * 1000


class Device:
    """A systemd that is told what root does, and time that goes on when the test says so."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.places = Places(
            laid_down=root / "state/update/bundle.raucb",
            progress=root / "progress.json",
            trial=root / "trial",
            os_release=root / "os-release",
            command_line=root / "cmdline",
        )
        (root / "state").mkdir()
        self.places.os_release.write_text('ID=x\nIMAGE_VERSION="1.1.0+abc"\n')
        self.places.command_line.write_text("quiet rauc.slot=B panic=5\n")
        self.places.trial.write_text("good\n")
        self.started: list[tuple[SystemUnit, bytes]] = []
        self.error: Exception | None = None
        self.is_active = False
        self.changes = 0
        self._turns: asyncio.Queue[asyncio.Event] = asyncio.Queue()
        self.updating = Updating(
            self._start, self._is_active, self._changed, places=self.places, pause=self._pause
        )
        self._running: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """The daemon's own task, until all that it does at first is done."""
        self._running = asyncio.create_task(self.updating.run())
        await self.settled()

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    async def settled(self) -> None:
        """Everything that can go on without time going on has done so."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def time_goes_on(self) -> None:
        """Everybody who waits has waited long enough."""
        for _ in range(self._turns.qsize()):
            self._turns.get_nowait().set()
        await self.settled()

    async def root_says(self, progress: Progress) -> None:
        progress.save(self.places.progress)
        await self.time_goes_on()

    async def send(self, *parts: bytes, size: int = 0) -> str:
        upload = await self.updating.begin(size)
        at = 0
        for part in parts:
            await self.updating.send(upload, at, part)
            at += len(part)
        return upload

    def left(self) -> list[str]:
        folder = self.places.laid_down.parent
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    async def _start(self, unit: SystemUnit) -> None:
        self.started.append((unit, self.places.laid_down.read_bytes()))
        if self.error:
            raise self.error
        self.is_active = True

    async def _is_active(self, unit: SystemUnit) -> bool:
        return self.is_active

    def _changed(self) -> None:
        self.changes += 1

    async def _pause(self, seconds: float) -> None:
        turn = asyncio.Event()
        self._turns.put_nowait(turn)
        await turn.wait()


@pytest_asyncio.fixture(loop_scope="function")
async def device(tmp_path: Path) -> AsyncIterator[Device]:
    made = Device(tmp_path)
    await made.run()
    yield made
    await made.close()


async def refused(waits: object) -> RoomErrorKind:
    with pytest.raises(RoomError) as caught:
        await waits  # type: ignore[misc]
    assert caught.value.hint
    return caught.value.kind


async def test_it_says_which_firmware_runs_and_that_its_start_was_well(device: Device) -> None:
    status = device.updating.status()
    assert (status.state, status.version, status.slot, status.is_confirmed) == (
        "idle",
        "1.1.0+abc",
        "B",
        True,
    )
    assert device.updating.problem == ""


async def test_a_whole_bundle_is_laid_down_and_root_is_asked(device: Device) -> None:
    upload = await device.send(PART, PART, size=2 * len(PART))
    assert device.updating.status().received == 2 * len(PART)
    await device.updating.install(upload)
    assert device.started == [(SystemUnit.UPDATE, PART + PART)]
    assert device.updating.status().state == "checking"
    await device.root_says(Progress(Stage.INSTALLING, 40, "copying", "1.2.0"))
    status = device.updating.status()
    assert (status.state, status.percent, status.step, status.bundle_version) == (
        "installing",
        40,
        "copying",
        "1.2.0",
    )
    await device.root_says(Progress(Stage.INSTALLED, 100, version="1.2.0", next_version="1.2.0"))
    assert (device.updating.status().state, device.left()) == ("installed", [])
    await device.updating.begin(0)
    assert device.updating.status().next_version == "1.2.0"


async def test_what_root_refuses_is_told_with_its_reason(device: Device) -> None:
    await device.updating.install(await device.send(PART))
    refusal = Progress(Stage.FAILED, refusal=Refusal.NOT_GENUINE, message="not signed", hint="ask the maker")
    await device.root_says(refusal)
    status = device.updating.status()
    assert (status.state, status.error_kind, status.error, status.hint) == (
        "failed",
        "not_genuine",
        "not signed",
        "ask the maker",
    )
    assert device.left() == []


async def test_a_refusal_within_the_time_of_the_start_is_told_too(device: Device) -> None:
    async def start(unit: SystemUnit) -> None:
        Progress(Stage.FAILED, refusal=Refusal.TOO_OLD, message="too old", hint="x").save(
            device.places.progress
        )
        raise UnitFailedError("conclave-update.service failed")

    device.updating._start = start
    await device.updating.install(await device.send(PART))
    await device.settled()
    assert device.updating.status().error_kind == "too_old"


async def test_what_an_earlier_installation_left_is_not_taken_for_this_ones(device: Device) -> None:
    Progress(Stage.INSTALLED, 100, version="1.0.0").save(device.places.progress)
    await device.updating.install(await device.send(PART))
    await device.time_goes_on()
    assert device.updating.status().state == "checking"


async def test_an_installation_that_ends_without_a_word_has_failed(device: Device) -> None:
    await device.updating.install(await device.send(PART))
    await device.settled()
    device.is_active = False
    await device.time_goes_on()
    assert device.updating.status().state == "failed"


async def test_a_unit_that_does_not_start_leaves_nothing(device: Device) -> None:
    device.error = UnitFailedError("no such unit", hint="see: conclavectl logs")
    assert await refused(device.updating.install(await device.send(PART))) is RoomErrorKind.FAILED
    assert (device.updating.status().state, device.left()) == ("failed", [])
    await device.updating.begin(0)


async def test_one_comes_at_a_time(device: Device) -> None:
    upload = await device.send(PART)
    assert await refused(device.updating.begin(0)) is RoomErrorKind.BUSY
    await device.updating.install(upload)
    assert await refused(device.updating.begin(0)) is RoomErrorKind.BUSY
    await device.root_says(Progress(Stage.INSTALLED, 100))
    await device.updating.begin(0)


async def test_none_is_taken_before_this_start_was_found_to_be_well(tmp_path: Path) -> None:
    made = Device(tmp_path)
    made.places.trial.unlink()
    await made.run()
    assert await refused(made.updating.begin(0)) is RoomErrorKind.BUSY
    # At once, not when it is looked at the next time.
    made.places.trial.write_text("good\n")
    await made.updating.begin(0)
    await made.close()


async def test_that_this_start_was_found_to_be_well_is_told_without_being_asked(tmp_path: Path) -> None:
    made = Device(tmp_path)
    made.places.trial.unlink()
    await made.run()
    assert not made.updating.status().is_confirmed
    made.places.trial.write_text("good\n")
    await made.time_goes_on()
    assert made.updating.status().is_confirmed
    await made.close()


async def test_an_update_that_was_given_up_is_a_problem_until_the_next_start(device: Device) -> None:
    device.places.trial.write_text("good after 1.2.0+def\n")
    device.updating._look_at_trial()
    assert device.updating.status().fell_back_from == "1.2.0+def"
    assert "1.2.0+def did not start well" in device.updating.problem


async def test_a_bundle_of_which_bytes_are_missing_is_not_installed(device: Device) -> None:
    upload = await device.send(PART, size=len(PART) + 1)
    assert await refused(device.updating.install(upload)) is RoomErrorKind.INVALID_ARGUMENT
    assert (device.started, device.left(), device.updating.status().state) == ([], [], "idle")


async def test_parts_come_in_order_and_are_not_too_large(device: Device) -> None:
    upload = await device.send(PART)
    for at, part in ((0, PART), (len(PART) + 1, PART), (len(PART), bytes(MAX_CHUNK + 1))):
        assert await refused(device.updating.send(upload, at, part)) is RoomErrorKind.INVALID_ARGUMENT
    await device.updating.send(upload, len(PART), PART)


async def test_more_than_was_said_ends_the_upload(device: Device) -> None:
    upload = await device.send(PART, size=len(PART))
    assert await refused(device.updating.send(upload, len(PART), b"x")) is RoomErrorKind.INVALID_ARGUMENT
    assert device.left() == []


@pytest.mark.parametrize("size", [-1, MAX_BYTES + 1])
async def test_a_length_that_cannot_be_is_refused(device: Device, size: int) -> None:
    assert await refused(device.updating.begin(size)) is RoomErrorKind.INVALID_ARGUMENT


async def test_a_bundle_for_which_the_disk_has_no_room_is_refused_before_it_comes(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updating, "RESERVE_BYTES", 1 << 60)
    assert await refused(device.updating.begin(1000)) is RoomErrorKind.FAILED


async def test_a_disk_that_fills_ends_an_upload_of_unknown_length(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await device.send(PART)
    monkeypatch.setattr(updating, "RESERVE_BYTES", 1 << 60)
    assert await refused(device.updating.send(upload, len(PART), PART)) is RoomErrorKind.FAILED
    assert device.left() == []


async def test_who_sends_nothing_for_a_minute_has_gone(device: Device) -> None:
    upload = await device.send(PART)
    await device.settled()
    await device.time_goes_on()
    assert device.left() == []
    assert await refused(device.updating.send(upload, len(PART), PART)) is RoomErrorKind.NOT_FOUND


async def test_who_still_sends_has_not_gone(device: Device) -> None:
    upload = await device.send(PART)
    await device.settled()
    await device.updating.send(upload, len(PART), PART)
    await device.time_goes_on()
    await device.updating.install(upload)
    assert device.started == [(SystemUnit.UPDATE, PART + PART)]


async def test_an_upload_that_is_given_up_leaves_nothing(device: Device) -> None:
    await device.updating.abandon(await device.send(PART))
    assert (device.left(), device.updating.status().state) == ([], "idle")


async def test_what_an_earlier_daemon_left_goes_and_what_root_still_does_is_followed(tmp_path: Path) -> None:
    device = Device(tmp_path)
    device.places.laid_down.parent.mkdir()
    device.places.laid_down.with_suffix(".part").write_bytes(b"half")
    device.is_active = True
    Progress(Stage.INSTALLING, 60, "copying", "1.2.0").save(device.places.progress)
    await device.run()
    assert (device.left(), device.updating.status().percent) == ([], 60)
    assert await refused(device.updating.begin(0)) is RoomErrorKind.BUSY
    await device.close()


async def test_a_device_without_slots_takes_updates_that_its_root_will_refuse(tmp_path: Path) -> None:
    device = Device(tmp_path)
    device.places.command_line.write_text("quiet\n")
    made = Updating(device._start, device._is_active, device._changed, places=device.places)
    assert made.status().slot == ""
    await made.abandon(await made.begin(0))
