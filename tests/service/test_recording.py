"""The record of one meeting, while it lasts: signed when it has grown, not more often, and never half."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.service.audit_files import AuditFiles, audit_name
from conclaved.service.recording import WRITE_EVERY_S, Recording

NAME = audit_name(1_900_000_000, bytes(16))


class Setting:
    """A recording of texts, whose pauses end when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.files = AuditFiles(folder)
        self.signed: list[str] = []
        self.pauses: list[float] = []
        self.may_go_on = asyncio.Semaphore(0)
        self.has_paused = asyncio.Semaphore(0)
        self.error: Exception | None = None
        self.recording = Recording[str](self.files, NAME, self.sign, pause=self.pause)

    async def sign(self, record: str) -> str:
        if self.error is not None:
            raise self.error
        self.signed.append(record)
        return f"signed.{record}"

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.has_paused.release()
        await self.may_go_on.acquire()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Setting]:
    setting = Setting(folder)
    task = asyncio.create_task(setting.recording.run())
    async with asyncio.timeout(10):
        yield setting
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_comes_within_ten_seconds_is_written_at_once_and_together(tmp_path: Path) -> None:
    async with running(tmp_path) as setting:
        setting.recording.note("a")
        await setting.has_paused.acquire()
        for record in ("ab", "abc", "abcd"):
            setting.recording.note(record)
        setting.may_go_on.release()
        await setting.has_paused.acquire()
        assert setting.signed == ["a", "abcd"]
        assert set(setting.pauses) == {WRITE_EVERY_S}
        assert setting.files.read(NAME) == "signed.abcd"


async def test_the_same_record_is_not_signed_again(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    setting.recording.note("a")
    await setting.recording.write()
    setting.recording.note("a")
    await setting.recording.write()
    assert setting.signed == ["a"]


async def test_a_record_that_is_asked_for_is_of_this_moment_and_kept(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    assert await setting.recording.token() is None
    setting.recording.note("a")
    assert await setting.recording.token() == "signed.a"
    assert setting.files.read(NAME) == "signed.a"


async def test_a_record_that_cannot_be_kept_is_tried_again_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    setting = Setting(tmp_path)
    setting.recording.note("a")
    for error in (RoomError(RoomErrorKind.NOT_ENROLLED, "no certificate"), OSError(28, "No space left")):
        setting.error = error
        await setting.recording.write()
    setting.error = None
    await setting.recording.write()
    assert setting.files.read(NAME) == "signed.a"
    assert len(caplog.records) == 2


async def test_an_older_state_is_never_written_over_a_newer_one(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    slow = asyncio.Event()
    quick = setting.sign

    async def sign(record: str) -> str:
        if record == "a":
            await slow.wait()
        return await quick(record)

    setting.recording._sign = sign
    setting.recording.note("a")
    first = asyncio.create_task(setting.recording.write())
    await asyncio.sleep(0)
    setting.recording.note("ab")
    second = asyncio.create_task(setting.recording.write())
    await asyncio.sleep(0)
    slow.set()
    await asyncio.gather(first, second)
    assert setting.files.read(NAME) == "signed.ab"
