"""The composition root: configuration to objects, objects to a running daemon."""

import argparse
import asyncio
import contextlib
import logging
import resource
import signal
import sys
import time
from functools import partial
from pathlib import Path

from conclave_hal import config as hal_config
from conclave_hal.errors import HalError
from conclaved.bus.errors import BusError
from conclaved.bus.server import run as serve_bus
from conclaved.identity import (
    BelievedClock,
    FloorFile,
    IdentityError,
    read_wrapping_key,
)
from conclaved.identity.clock import is_synchronised
from conclaved.service import system_units
from conclaved.service.build import BUILT_AT
from conclaved.service.changes import ChangeRecord
from conclaved.service.changes import log as changes_log
from conclaved.service.config import DEFAULT_PATH, ConfigError, load
from conclaved.service.events import EVENT_ATTRIBUTE, Event
from conclaved.service.events import log as events_log
from conclaved.service.factory_reset import FactoryReset
from conclaved.service.happenings import write_down
from conclaved.service.hardware import Hardware
from conclaved.service.journal_log import JournalHandler, log_handler
from conclaved.service.key_places import key_store
from conclaved.service.notify import notifier, watchdog_s
from conclaved.service.readiness import Readiness
from conclaved.service.room import ConclaveRoom
from conclaved.service.settings import SettingsFile

log = logging.getLogger("conclaved")


def main() -> None:
    """The command line of `conclaved`."""
    parser = argparse.ArgumentParser(
        prog="conclaved",
        description="The service of a Conclave room. systemd starts it; admins use conclavectl.",
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, help=f"default: {DEFAULT_PATH}")
    parser.add_argument("--verbose", action="store_true", help="log what happens, not only what goes wrong")
    arguments = parser.parse_args()
    handler = _log_for_the_journal(verbose=arguments.verbose)
    leave_no_core_dump()
    failures: list[BaseException] = []
    try:
        asyncio.run(_run(arguments.config, handler))
    except* (ConfigError, HalError, IdentityError, BusError) as errors:
        failures = _leaves(errors)
    for error in failures:
        hint = getattr(error, "hint", "")
        print(f"conclaved: {error}{f' ({hint})' if hint else ''}", file=sys.stderr)
    sys.exit(1 if failures else 0)


def leave_no_core_dump() -> None:
    """A core dump would hold every key of the meeting, and the device's own where it is in a file.

    The limit says that there is to be none; a program that takes dumps (systemd-coredump) may not mind it, so
    the kernel is told to put no memory into one either.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # A kernel without core dumps has no such file.
        Path("/proc/self/coredump_filter").write_text("0")


async def _run(path: Path, handler: logging.Handler) -> None:
    config, notify = load(path), notifier()
    for directory in (config.state_directory, config.runtime_directory):
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
    config.token_directory.mkdir(exist_ok=True, mode=0o755)
    wrapping_key, is_damaged = _wrapping_key()
    keys = key_store(
        config.state_directory / "identity",
        config.keys,
        wrapping_key,
        # Allowed for devices that never had one; it must not take the place of one that is damaged.
        allow_plain_key=config.allow_plain_key and not is_damaged,
    )
    reset = FactoryReset(config.state_directory, config.runtime_directory)
    if reset.is_unfinished:
        log.warning("a factory reset was cut short: the rest is erased now")
        try:
            keys.reset()
        except IdentityError as error:
            log.warning("a key stays in its token: %s", error)
        try:
            reset.finish()
        except OSError as error:
            raise ConfigError(f"a factory reset cannot be ended: {error}") from error
        for directory in (config.runtime_directory, config.token_directory):
            directory.mkdir(exist_ok=True, mode=0o755)
        await _erase_the_rest(config.bus_address)
    floor = FloorFile(config.state_directory / "last-seen-time")
    clock = BelievedClock(
        time.time,
        built_at=BUILT_AT,
        floor=floor.load(),
        remember=floor.save,
        is_synchronised=is_synchronised,
    )
    devices = hal_config.load(config.hal)
    record = ChangeRecord(config.journal)
    room = ConclaveRoom(
        config,
        keys,
        SettingsFile(config.state_directory),
        clock,
        lambda changed, drawn: Hardware(devices, changed, drawn),
        record=record,
    )
    notify("STATUS=opening the hardware")
    await devices.open()
    try:
        async with asyncio.TaskGroup() as tasks:
            readiness = Readiness(notify, room, watchdog_s())
            own = [
                tasks.create_task(room.run()),
                tasks.create_task(
                    serve_bus(room, address=config.bus_address, record=record, served=readiness.is_served)
                ),
                tasks.create_task(readiness.run()),
                tasks.create_task(write_down(room, lambda: room.key_trouble, partial(_name_room, handler))),
            ]
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(
                signal.SIGHUP, lambda: readiness.reload(partial(room.reloading.reload, path))
            )
            await _wait_for_an_end(room.was_reset)
            notify("STOPPING=1\nSTATUS=ending")
            for task in reversed(own):
                task.cancel()
    finally:
        await devices.close()
        if room.was_reset.is_set() and reset.is_unfinished:
            # Whatever was written while all of it ended.
            reset.finish()
        # A TPM without a resource manager would keep what is loaded into it.
        await asyncio.to_thread(keys.close)
        if room.was_reset.is_set():
            await _erase_the_rest(config.bus_address)


def _wrapping_key() -> tuple[bytes | None, bool]:
    """The wrapping key, and whether one was handed over that is none: the room runs then, and says so."""
    try:
        return read_wrapping_key(), False
    except IdentityError as error:
        log.error("%s; no sealed key can be used", error, extra={EVENT_ATTRIBUTE: Event.KEY_TROUBLE})
        return None, True


async def _erase_the_rest(bus_address: str | None) -> None:
    """Where systemd is: what root keeps outside of the daemon's state goes too, and the device reboots."""
    try:
        await system_units.start(system_units.SystemUnit.FACTORY_RESET, address=bus_address)
    except system_units.NoSystemdError as error:
        log.info("what lies outside of the daemon's state stays: %s", error)
    except system_units.SystemUnitError as error:
        log.error("what lies outside of the daemon's state stays: %s (%s)", error, error.hint)


async def _wait_for_an_end(was_reset: asyncio.Event) -> None:
    """Wait for a signal, which leaves everything as it is, or for a factory reset, which does not."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    waits = [asyncio.create_task(event.wait()) for event in (stopped, was_reset)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _log_for_the_journal(*, verbose: bool) -> logging.Handler:
    handler = log_handler()
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
    # The record of changes is told whatever else is not, where no journal takes it; and so are events.
    for log_of in (changes_log, events_log):
        log_of.setLevel(logging.INFO)
    return handler


def _name_room(handler: logging.Handler, domain: str) -> None:
    if isinstance(handler, JournalHandler):
        handler.room = domain


def _leaves(errors: BaseException) -> list[BaseException]:
    if isinstance(errors, BaseExceptionGroup):
        return [leaf for each in errors.exceptions for leaf in _leaves(each)]
    return [errors]
