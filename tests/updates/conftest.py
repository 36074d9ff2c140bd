"""A maker with a CA, and a device in a folder that believes it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from conclaved.updates.install import Places
from conclaved.updates.progress import Progress
from tests.image.build.bundle import Maker, make_maker, maker, write_bundle

BOARD = "test"
MINIMUM = "1.2.0"
SETTINGS = """\
[system]
compatible={compatible}
bootloader=noop
bundle-formats=verity
[keyring]
path={authority}
check-purpose=codesign
use-bundle-signing-time=true
"""
RAUC = """\
#!/bin/sh
# RAUC as it is, but for the service that installs, which wants a device.
case "$*" in
    "install "*) cat "$0.says"; exit "$(cat "$0.exit")" ;;
    *) exec rauc "$@" ;;
esac
"""
SAYS_INSTALLED = """\
installing
  0% Installing
  0% Determining slot states
 20% Determining slot states done.
 20% Checking bundle
 40% Checking bundle done.
 99% Copying image to root.1 done.
 99% Updating slots done.
100% Installing done.
idle
Installing `/var/lib/conclave-device/update/bundle.raucb` succeeded
"""


@pytest.fixture(scope="session")
def makers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Maker, Maker]:
    """Who makes the device, and somebody else."""
    folders = [tmp_path_factory.mktemp(name) for name in ("maker", "stranger")]
    for folder in folders:
        make_maker(folder, folder.name)
    return maker(folders[0]), maker(folders[1])


@dataclass
class Device:
    """Its places, and what its RAUC says and how it ends when it is to install."""

    places: Places

    def rauc_will(self, said: str, code: int) -> None:
        """What `rauc install` prints, and its exit code."""
        program = self.places.rauc[0]
        Path(f"{program}.says").write_text(said)
        Path(f"{program}.exit").write_text(str(code))

    @property
    def told(self) -> Progress:
        """What the daemon would read."""
        found = Progress.load(self.places.progress)
        assert found is not None
        return found


@pytest.fixture
def device(tmp_path: Path, makers: tuple[Maker, Maker]) -> Device:
    (tmp_path / "trial").write_text("good\n")
    for name in ("laid", "own", "run"):
        (tmp_path / name).mkdir()
    program = tmp_path / "rauc"
    program.write_text(RAUC)
    program.chmod(0o755)
    settings = tmp_path / "system.conf"
    settings.write_text(SETTINGS.format(compatible=f"conclave-{BOARD}", authority=makers[0].authority))
    (tmp_path / "minimum-version").write_text(f"{MINIMUM}\n")
    made = Device(
        Places(
            laid_down=tmp_path / "laid/bundle.raucb",
            own_folder=tmp_path / "own/update",
            installed_version=tmp_path / "own/installed-version",
            minimum_version=tmp_path / "minimum-version",
            system_conf=settings,
            progress=tmp_path / "run/progress.json",
            trial=tmp_path / "trial",
            rauc=(str(program),),
        )
    )
    made.rauc_will(SAYS_INSTALLED, 0)
    return made


Lay = Callable[..., Path]


@pytest.fixture
def lay_down(device: Device, makers: tuple[Maker, Maker], tmp_path: Path) -> Lay:
    """Lays down a bundle, as the daemon does."""

    def lay(version: str = "1.2.0+abc", board: str = BOARD, *, by_stranger: bool = False) -> Path:
        for name in ("fit", "root"):
            (tmp_path / name).write_bytes(name.encode() * 2000)
        write_bundle(
            device.places.laid_down,
            fit=tmp_path / "fit",
            root=tmp_path / "root",
            version=version,
            board=board,
            signed_by=makers[by_stranger],
        )
        return device.places.laid_down

    return lay
