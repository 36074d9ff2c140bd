"""Devices for tests: one is booted cold, kept as a snapshot when it is up, and each test starts from that.

    device          resumed from the snapshot, in some three seconds, with the host's time
    shared_device   the same one for all tests of a module, which only look:
                    pytestmark = pytest.mark.asyncio(loop_scope="module")
    fresh           powered on a moment ago, on a disk that has never been booted; nobody waited for it
    make_machine    makes such machines by hand; all are ended with the test

A test that uses one of these is marked `image`. All of it runs under `make test-image`.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from tests.image import namespace
from tests.image.build.image import Image, image
from tests.image.machine import Machine, Snapshot
from tests.image.ntp import NtpServer
from tests.pebble import free_ports

FIXTURES = frozenset({"built", "snapshot", "device", "shared_device", "fresh", "make_machine"})
KEPT = Path(__file__).parents[2] / "build/image"
"""Where is kept what tells why a test failed."""
SYNCHRONIZED = "test -e /run/systemd/timesync/synchronized"
_Value = TypeVar("_Value")
_REPORTS = pytest.StashKey[list[pytest.TestReport]]()
_spent: dict[str, float] = {}
_kept: list[Path] = []

Make = Callable[..., Machine]
Figures = dict[str, str]
"""What is told at the end of a run, by what it is the figure of."""
_figures: Figures = {}


@dataclass(eq=False)
class Workshop:
    """Makes machines in a folder, and ends them all."""

    built: Image
    folder: Path
    made: list[Machine] = field(default_factory=list)

    def make(self, *, snapshot: Snapshot | None = None, options: tuple[str, ...] = ()) -> Machine:
        """A machine that is not started: on a disk of its own, as the image has it or as the snapshot has."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        disk = folder / "disk"
        if snapshot is None:
            _copy(self.built.disk, disk)
        machine = Machine(
            folder, self.built, disk, ssh_port=free_ports(1)[0], snapshot=snapshot, options=options
        )
        self.made.append(machine)
        return machine

    async def close(self, *, keep_as: str = "") -> None:
        """End all machines. With a name, keep what they show under it."""
        try:
            for number, machine in enumerate(self.made):
                if keep_as:
                    where = _emptied(KEPT / (keep_as if number == 0 else f"{keep_as}-{number + 1}"))
                    _kept.extend(await machine.evidence(where))
        finally:
            for machine in self.made:
                await machine.stop()
                shutil.rmtree(machine.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def built() -> Image:
    """The image with the tests' layer; built if need be."""
    namespace.check()
    with _timed("the image"):
        return image()


@pytest.fixture(scope="session")
def figures() -> Figures:
    """Figures for the end of the run."""
    return _figures


@pytest.fixture(scope="session")
def time_server() -> Iterator[NtpServer]:
    """What all devices ask for the time. Who lets it be wrong or silent puts it right again."""
    with NtpServer() as server:
        yield server


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder for sockets, whose names have to be short."""
    with tempfile.TemporaryDirectory(prefix="conclave-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def snapshot(built: Image, time_server: NtpServer, short_folder: Path) -> Snapshot:
    """A device that was booted cold and became ready, with the right time and nothing else done to it."""

    async def boot() -> Snapshot:
        workshop = Workshop(built, short_folder)
        keep_as = "first-boot"
        try:
            machine = workshop.make()
            with _timed("first boot"):
                await machine.start()
                await machine.until_ready()
                await machine.root.run(f"until {SYNCHRONIZED}; do sleep 0.2; done", timeout_s=120)
                await machine.root.run("systemctl is-system-running --wait || true", timeout_s=120)
            with _timed("snapshot"):
                made = await machine.snapshot(_emptied(short_folder / "snapshot"))
            keep_as = ""
            return made
        finally:
            await workshop.close(keep_as=keep_as)

    return _in_a_thread(boot())


@pytest_asyncio.fixture(loop_scope="function")
async def make_machine(
    request: pytest.FixtureRequest, built: Image, time_server: NtpServer, short_folder: Path
) -> AsyncIterator[Make]:
    """Makes machines of a test: `make_machine(snapshot=..., options=...)`."""
    async with _workshop(request, built, short_folder) as workshop:
        yield workshop.make


@pytest_asyncio.fixture(loop_scope="function")
async def device(make_machine: Make, snapshot: Snapshot) -> Machine:
    """A device that is up, resumed for this test alone."""
    machine = make_machine(snapshot=snapshot)
    await machine.start()
    return machine


@pytest_asyncio.fixture(loop_scope="function")
async def fresh(make_machine: Make) -> Machine:
    """A device that was powered on for the first time."""
    machine = make_machine()
    await machine.start()
    return machine


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared_device(
    request: pytest.FixtureRequest, built: Image, snapshot: Snapshot, short_folder: Path
) -> AsyncIterator[Machine]:
    """A device that is up, one for all tests of a module."""
    async with _workshop(request, built, short_folder) as workshop:
        machine = workshop.make(snapshot=snapshot)
        await machine.start()
        yield machine


@asynccontextmanager
async def _workshop(request: pytest.FixtureRequest, built: Image, folder: Path) -> AsyncIterator[Workshop]:
    workshop = Workshop(built, folder)
    node: pytest.Item | pytest.Module = request.node
    try:
        yield workshop
    finally:
        has_failed = any(report.failed for report in node.stash.get(_REPORTS, []))
        name = node.name.removesuffix(".py").replace("/", "-").replace(" ", "-")[:80]
        await workshop.close(keep_as=name if has_failed else "")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a machine, before what is marked is chosen."""
    for item in items:
        if isinstance(item, pytest.Function) and FIXTURES & set(item.fixturenames):
            item.add_marker(pytest.mark.image)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave word at the test and at its module of how it went, for those who clean up."""
    report = yield
    module = item.getparent(pytest.Module)
    for node in (item, module):
        if node is not None:
            node.stash.setdefault(_REPORTS, []).append(report)
    part = Path(item.location[0]).stem
    _spent[part] = _spent.get(part, 0.0) + report.duration
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the time went, and where to look."""
    if not namespace.is_entered():
        terminalreporter.write_line("not proven: the device itself (make test-image proves it)")
        return
    terminalreporter.section("time by part (seconds)")
    for part, seconds in _spent.items():
        terminalreporter.write_line(f"{seconds:7.1f}  {part}")
    for name, figure in _figures.items():
        terminalreporter.write_line(f"{name}: {figure}")
    for path in _kept:
        terminalreporter.write_line(f"kept: {path}")


def _in_a_thread(work: Coroutine[Any, Any, _Value]) -> _Value:
    """Run what is asynchronous from a fixture that all loops share."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@contextmanager
def _timed(part: str) -> Iterator[None]:
    begun = time.monotonic()
    try:
        yield
    finally:
        _spent[f"(of which {part})"] = time.monotonic() - begun


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--sparse=always", os.fspath(source), os.fspath(target)], check=True)
