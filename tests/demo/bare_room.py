"""`make room`: a bare room behind SSH, and a CA that can reach it, to provision by the README's lines."""

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
from pathlib import Path

from tests.demo.stage import Part, stage
from tests.shell.sshd import USER, Sshd, make_key

ROOM = Part("room.example.com", "127.0.0.21", 440)
FOLDER = Path("build/room")
READY = "the room waits"
RESTART_AFTER_S = 1.0


async def _serve(folder: Path, shown: Path) -> None:
    async with stage(folder / "stage") as it:
        (folder / "ssh").mkdir()
        admin = (await make_key(folder / "ssh/admin")).with_suffix(".pub").read_text().strip()
        room = await it.room(ROOM, ca=it.public_ca, admins=(admin,))
        async with Sshd(folder / "ssh", room.bus.address, access=room.folder / "state/access") as sshd:
            (folder / "root.pem").write_text(it.public_ca.root_pem)
            host_key = (sshd.folder / "host.pub").read_text().split()[:2]
            (folder / "known_hosts").write_text(f"room {' '.join(host_key)}\n")
            (folder / "ssh_config").write_text(_ssh_config(folder, sshd))
            print(f"{READY}; its panel: {room.panel_url}")
            print("In another terminal, from this folder, the README's lines:")
            config, root = shown / "ssh_config", shown / "root.pem"
            print(f"  ssh -F {config} room trust add - --label Example --kind verified < {root}")
            print(f"  ssh -F {config} room identity enroll {ROOM.domain}")
            print(f"  ssh -F {config} room status")
            print("Ctrl-C ends it.", flush=True)
            while room.process is not None:
                await room.process.wait()
                # As its unit does: a factory reset ends the daemon, and a new room begins.
                await asyncio.sleep(RESTART_AFTER_S)
                await it.start_daemon(room)


def _ssh_config(folder: Path, sshd: Sshd) -> str:
    return f"""Host room
    HostName 127.0.0.1
    Port {sshd.port}
    User {USER}
    IdentityFile {sshd.admin}
    IdentitiesOnly yes
    HostKeyAlias room
    UserKnownHostsFile {folder / "known_hosts"}
"""


async def _until_stopped(folder: Path, shown: Path) -> None:
    serving = asyncio.create_task(_serve(folder, shown))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="make room", description="A bare room behind SSH, to provision by the README's lines."
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"default: {FOLDER}; is made anew")
    folder = parser.parse_args().folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # What sshd says goes to its log and to standard error when it ends: the room's admin has no use for it.
    with (folder / "sshd.log").open("w") as log, contextlib.redirect_stderr(log):
        asyncio.run(_until_stopped(folder.absolute(), folder))
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0)


if __name__ == "__main__":
    main()
