"""A new firmware over SSH: taken if the maker signed it, tried, and given up if the room is not well."""

import asyncio
import os
import random
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.building.cache import cache_folder
from tests.image.build.bundle import Maker, development_maker, make_maker, maker, write_bundle
from tests.image.build.image import TEST_LAYER, Image, Update, update
from tests.image.conftest import Figures
from tests.image.console import Done
from tests.image.eventually import eventually
from tests.image.machine import Machine
from tests.image.test_slot_trial import GOOD_VERSIONS, boot_id, boot_loader_says, slot, started_again
from tests.image.told import problems

CUTS = int(os.environ.get("CONCLAVE_POWER_CUTS", "4"))
SEED = int(os.environ.get("CONCLAVE_SEED") or secrets.randbelow(2**31))
FAILING = Path(__file__).parent / "failing"
NEWER = "99.1.0"
OLDER = "0.0.9"
INSTALL_S = 600.0
TAKES_S = 12.0
"""As long as RAUC takes where little else runs."""
LEFT = "ls -A /var/lib/conclave/update /var/lib/conclave-device/update 2>/dev/null | grep -v : || true"
LAY_DOWN = """
install -d -o conclave -g conclave -m 0700 /var/lib/conclave/update &&
    ln /var/tmp/bundle /var/lib/conclave/update/bundle.raucb"""
"""As the daemon does, of whose folder it is."""
BEGUN = "until grep -q installing /run/conclave-update/progress.json; do sleep 0.1; done"
"""Returns when RAUC was told to install the bundle."""
FETCH = """
python3 -c 'import shutil, urllib.request
with urllib.request.urlopen("http://10.0.2.2:{port}/{name}") as source, open("/var/tmp/bundle", "wb") as file:
    shutil.copyfileobj(source, file, 1 << 20)'
sync
"""
JUDGED = "systemctl start conclave-mark-good.service"
"""Returns when this start was found to be well."""
RUNS = "sed -n 's/^IMAGE_VERSION=\"\\(.*\\)\"$/\\1/p' /usr/lib/os-release"


@pytest.fixture(scope="session")
def newer(built: Image) -> Update:
    """The same firmware with a higher number."""
    return update(layers=(TEST_LAYER,), version=NEWER)


@pytest.fixture(scope="session")
def failing(built: Image) -> Update:
    """A newer firmware whose daemon never becomes ready."""
    return update(layers=(TEST_LAYER, FAILING), version=NEWER)


Bundle = Callable[..., Path]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Makes small bundles that no device should write anywhere."""

    def make(version: str = NEWER, board: str = "qemu-aarch64", signed_by: Maker | None = None) -> Path:
        for name in ("fit", "root"):
            (tmp_path / name).write_bytes(name.encode() * 4096)
        write_bundle(
            tmp_path / "bundle.raucb",
            fit=tmp_path / "fit",
            root=tmp_path / "root",
            version=version,
            board=board,
            signed_by=signed_by or development_maker(cache_folder("image")),
        )
        return tmp_path / "bundle.raucb"

    return make


async def send(device: Machine, place: Path) -> Done:
    """As an admin does: `ssh admin@room update install - < BUNDLE`, by OpenSSH's own client."""
    words = ["ssh", *device.admin.arguments(), "-p", str(device.admin.port), "admin@127.0.0.1"]
    with place.open("rb") as file:
        process = await asyncio.create_subprocess_exec(
            *words, "update install -", stdin=file,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(INSTALL_S):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


async def refusal(device: Machine, place: Path) -> tuple[int, str]:
    """Exit code and last line; the slots are as before and nothing of the bundle is there."""
    before = await boot_loader_says(device)
    done = await send(device, place)
    assert await boot_loader_says(device) == before
    assert await device.root.run(LEFT) == ""
    return done.code, done.err.splitlines()[-1]


async def test_a_bundle_that_somebody_else_signed_is_refused(
    device: Machine, bundle: Bundle, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    make_maker(stranger, "Somebody else")
    code, said = await refusal(device, bundle(signed_by=maker(stranger)))
    assert code == 9
    assert "not signed by who makes this device" in said


async def test_a_bundle_for_another_board_is_refused(device: Machine, bundle: Bundle) -> None:
    code, said = await refusal(device, bundle(board="other"))
    assert code == 5
    assert "the bundle is for conclave-other, and this is conclave-qemu-aarch64" in said


async def test_a_bundle_that_is_too_old_is_refused(device: Machine, bundle: Bundle) -> None:
    code, said = await refusal(device, bundle(OLDER))
    assert code == 5
    assert f"the bundle is {OLDER}, and this device takes none below 0.1" in said


async def test_half_a_bundle_is_refused(device: Machine, bundle: Bundle) -> None:
    place = bundle()
    os.truncate(place, place.stat().st_size // 2)
    code, said = await refusal(device, place)
    assert code == 9
    assert "no bundle, or not all of one" in said


async def test_a_new_version_runs_after_a_restart_and_a_power_cut_right_after_success(
    device: Machine, newer: Update, figures: Figures
) -> None:
    before = (await device.root.run(RUNS)).strip()
    done = await send(device, newer.bundle)
    assert (done.code, done.out.splitlines()[0]) == (0, f"installed: {newer.version}"), done.err
    assert await device.root.run(LEFT) == ""
    await device.kill()
    await device.start()
    await device.until_ready()
    await device.root.run(JUDGED, timeout_s=INSTALL_S)
    assert await slot(device) == "B"
    found = (await device.admin.ctl("update", "status"))["update"]
    assert (found["version"], found["slot"], found["state"]) == (newer.version, "B", "idle")
    assert (await device.root.run(f"cat {GOOD_VERSIONS}")).split() == [before, newer.version]
    assert (await boot_loader_says(device))["BOOT_B_LEFT"] == "3"


async def test_a_version_that_is_not_well_is_given_up_and_told(device: Machine, failing: Update) -> None:
    before = (await device.root.run(RUNS)).strip()
    done = await send(device, failing.bundle)
    assert done.code == 0, done.err
    boot = await boot_id(device)
    assert (await device.admin.ctl("reboot"))["changed"]
    # Started, found not to be well, and started again from the other slot.
    await started_again(device, boot, INSTALL_S)
    await device.root.run(JUDGED, timeout_s=INSTALL_S)
    assert (await slot(device), (await device.root.run(RUNS)).strip()) == ("A", before)
    assert (await boot_loader_says(device))["BOOT_B_LEFT"] == "0"
    await device.admin.until_answers()
    assert f"the update to {failing.version} did not start well" in await problems(device.admin)


async def test_power_cuts_in_an_update_leave_one_whole_version_and_a_device_that_takes_the_next(
    device: Machine, newer: Update, figures: Figures
) -> None:
    figures["power cuts in an update"] = f"{CUTS}, at moments drawn with --seed {SEED}"
    drawn = random.Random(f"{SEED} update")
    before = (await device.root.run(RUNS)).strip()
    # The bundle is at hand inside: what is tried is its installation.
    with served(newer.bundle) as port:
        await device.root.run(FETCH.format(port=port, name=newer.bundle.name), timeout_s=INSTALL_S)
    for _ in range(CUTS):
        await device.root.run(f"{LAY_DOWN} && systemctl start --no-block conclave-update.service")
        await device.root.run(BEGUN, timeout_s=INSTALL_S)
        await asyncio.sleep(drawn.uniform(0, TAKES_S))
        await device.kill()
        await device.start()
        await device.until_ready()
        await device.root.run(JUDGED, timeout_s=INSTALL_S)
        assert (await device.root.run(RUNS)).strip() in (before, newer.version)
        assert await device.root.run("systemctl list-units --failed --no-legend --plain") == ""
        await eventually(partial(_nothing_left, device), "what was half done to go")
    await device.root.run(f"{LAY_DOWN} && systemctl start conclave-update.service", timeout_s=INSTALL_S)


@contextmanager
def served(file: Path) -> Iterator[int]:
    """A web server of the host's with the file's folder; its port, which a device reaches at 10.0.2.2."""
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(file.parent))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def _nothing_left(machine: Machine) -> bool:
    return await machine.root.run(LEFT) == ""
