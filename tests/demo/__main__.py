"""`make demo`: three simulated rooms meet, end to end, on the real protocols."""

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.demo import story
from tests.demo.stage import StageError, stage


async def _until_stopped(folder: Path, *, once: bool) -> None:
    """Play, and end in order on Ctrl-C, SIGTERM and a closed terminal: what was started is stopped."""
    play = asyncio.create_task(_play(folder, once=once))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, play.cancel)
    try:
        await play
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print("\nended; nothing is left running")


async def _play(folder: Path, *, once: bool) -> None:
    begun = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {line}", flush=True)

    async with stage(folder) as it:
        tell(f"started    two ACME servers, the hub at {it.hub_url}; starting three rooms")
        if not once:
            tell(f"panels     live, all on one page: {it.overview.url}")
        rooms = await story.enroll(it, tell)
        link, code = await story.meet(it, rooms, tell)
        await story.media(rooms, tell)
        await story.one_leaves(rooms, code, tell)
        guest = await story.guest_comes(it, rooms[:-1], link, code, tell)
        await story.media([*rooms[:-1], guest], tell)
        await story.guest_goes(rooms[:-1], guest, link, tell)
        await story.relay_saw(it, [room.name for room in (*rooms, guest)], tell)
        if once:
            tell("all of it held")
            return
        print(f"\nThe panels are live; open them in a browser on this machine:\n  {it.overview.url}")
        print("One by one:")
        for room in (*rooms, guest):
            print(f"  {room.name:26s} {room.panel_url}")
        print("\nTalk to a room: say which by its bus, then any command of the README, for example")
        for room in (*rooms, guest):
            print(f"  export CONCLAVE_BUS='{room.bus.address}'   # {room.name}")
        print("  .venv/bin/conclavectl status")
        print(
            f"Let {rooms[2].name} in again, on its bus (the simulated people in a room unmute by themselves):"
        )
        print(f"  .venv/bin/conclavectl meeting join '{link}'")
        print(
            "Check a room's signed record (conclavectl meeting audit --out weekly.jws) against the test CA:"
        )
        root = folder / "public-root.pem"
        print(f"  .venv/bin/conclavectl meeting audit --verify weekly.jws --anchor '{root}'")
        print("\nCtrl-C ends it.", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="make demo", description="Three rooms enroll, meet, encrypt, and show the same security code."
    )
    parser.add_argument("--once", action="store_true", help="run to the end; exit 0 only if all of it held")
    parser.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="conclave-demo-"))
    keep = arguments.keep
    try:
        asyncio.run(_until_stopped(folder, once=arguments.once))
    except StageError as error:
        keep = True
        print(f"\nIt did not hold: {error}\nEverything the programs said is in {folder}", file=sys.stderr)
        sys.exit(1)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
