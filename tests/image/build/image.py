"""From sources to a disk, by stages; each is made anew only if something that goes into it has changed."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conclaved.service.build import BUILT_AT
from tests import building
from tests.building.cache import cache_folder, made
from tests.building.content import digest_of, digest_of_files
from tests.building.programs import need, run
from tests.image.build import debian, root_filesystem
from tests.image.build.boot_chain import BOARD, UBOOT, write_device_tree, write_fit
from tests.image.build.bundle import development_maker, write_bundle
from tests.image.build.debian import Arm64Packages
from tests.image.build.disk import write_disk
from tests.image.build.initrd import write_initrd
from tests.image.build.kernel import names_in, unpack_kernel
from tests.image.build.signing import ADMIN_KEY, development_keys
from tests.image.build.wheels import install_wheels, locked, needed

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TEST_LAYER = HERE.parent / "layer"
QEMU_BOARD = "qemu-aarch64"
KEPT = 3
"""Results of a stage that stay in the cache."""
SOURCES = ("systemd", "daemon", "provisioning", "hal", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Image:
    """Files that a machine boots. They are the cache's: a machine that writes boots a copy of the disk."""

    version: str
    """As os-release says it (IMAGE_VERSION); another content has another."""
    uboot: Path
    device_tree: Path
    """For a machine with a TPM; Linux hangs where it names one that is not there."""
    device_tree_without_tpm: Path
    disk: Path
    """A raw, sparse file."""
    root: Path
    """The root's squashfs with its hash tree, as it is in both slots."""
    root_hash: str
    kernel: Path
    initrd: Path
    """Both as in the FIT, to boot without U-Boot."""
    admin_key: Path
    """The private key of the admin of an image for developers."""


def image(
    *,
    layers: tuple[Path, ...] = (TEST_LAYER,),
    for_developers: bool = True,
    board: str = QEMU_BOARD,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> Image:
    """The image, built as far as the cache has it not.

    `layers` are folders that go over the product's own files. An image `for_developers` knows an admin, whose
    key is in the cache. `say` is told each stage that takes long. Raises BuildError: it says what to install.
    """
    need("mksquashfs", "veritysetup", "mkimage", "fdtput", "sfdisk", "depmod", "readelf", hint=debian.SETUP)
    if not UBOOT.exists():
        need("u-boot-qemu", hint=debian.SETUP)
    return _Builder(cache_folder("image"), board, say).image(layers, for_developers)


@dataclass(frozen=True, slots=True)
class Update:
    """A bundle for devices that run an image of the same board."""

    version: str
    bundle: Path


def update(
    *,
    layers: tuple[Path, ...],
    version: str = "",
    board: str = QEMU_BOARD,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> Update:
    """An update to what `image` would make of these layers. `version`: another number than the project's.

    Raises BuildError.
    """
    need("rauc", "mksquashfs", "veritysetup", "mkimage", hint=debian.SETUP)
    return _Builder(cache_folder("image"), board, say).update(layers, version)


@dataclass(frozen=True, slots=True)
class _Content:
    """What goes into a root, and the hash and the version of all that."""

    overlays: tuple[Path, ...]
    admins: tuple[str, ...]
    digest: str
    version: str


class _Builder:
    def __init__(self, cache: Path, board: str, say: Callable[[str], None]) -> None:
        self._cache = cache
        self._board = board
        self._say = say
        self._tools = digest_of_files(Path(building.__file__).parent)
        cache.mkdir(parents=True, exist_ok=True)
        self._keys = development_keys(cache)
        self._maker = development_maker(cache)

    def image(self, layers: tuple[Path, ...], for_developers: bool) -> Image:
        content = self._content(layers, for_developers)
        root = self._stage("root", content.digest, lambda part: self._make_root(part, content))
        root_hash = (root / "root-hash").read_text().strip()

        def make_disk(part: Path) -> None:
            self._make_fit(part, root_hash, content.version)
            for name, has_tpm in (("with-tpm.dtb", True), ("without-tpm.dtb", False)):
                write_device_tree(part / name, part / "fit", self._keys, self._board, has_tpm=has_tpm)
            write_disk(part / "disk", BOARD / "common/partitions.sfdisk", part / "fit", root / "root")

        disk = self._stage("disk", digest_of((root.name, *self._of_boot())), make_disk)
        return Image(
            version=content.version,
            uboot=UBOOT,
            device_tree=disk / "with-tpm.dtb",
            device_tree_without_tpm=disk / "without-tpm.dtb",
            disk=disk / "disk",
            root=root / "root",
            root_hash=root_hash,
            kernel=self._kernel() / "vmlinuz",
            initrd=disk / "initrd",
            admin_key=self._keys / ADMIN_KEY,
        )

    def update(self, layers: tuple[Path, ...], version: str) -> Update:
        content = self._content(layers, True, version)

        def make_bundle(part: Path) -> None:
            self._make_root(part, content)
            self._make_fit(part, (part / "root-hash").read_text().strip(), content.version)
            write_bundle(
                part / "bundle.raucb",
                fit=part / "fit",
                root=part / "root",
                version=content.version,
                board=self._board,
                signed_by=self._maker,
            )
            for name in ("root", "fit", "initrd"):
                (part / name).unlink()

        own = digest_of_files(self._maker.key, HERE / "bundle.py")
        bundle = self._stage("bundle", digest_of((content.digest, *self._of_boot(), own)), make_bundle)
        return Update(content.version, bundle / "bundle.raucb")

    def _content(self, layers: tuple[Path, ...], for_developers: bool, number: str = "") -> _Content:
        admins = ((self._keys / f"{ADMIN_KEY}.pub").read_text().strip(),) if for_developers else ()
        overlays = (BOARD / "common/overlay", BOARD / self._board / "overlay", *layers)
        overlays = tuple(path for path in overlays if path.is_dir())
        digest = digest_of(
            (
                self._base().name,
                self._kernel().name,
                self._wheels().name,
                digest_of_files(*(ROOT / name for name in SOURCES), *overlays),
                digest_of_files(*(HERE / name for name in ("root_filesystem.py", "left-out"))),
                digest_of_files(self._maker.authority),
                self._tools,
                self._board,
                *admins,
                number,
            )
        )
        return _Content(overlays, admins, digest, f"{number or _project_version()}+{digest[:8]}")

    def _make_root(self, part: Path, content: _Content) -> None:
        """`root` and `root-hash` in `part`."""
        words: list[str | Path] = ["--base", self._base() / "base.tar", "--kernel", self._kernel()]
        words += ["--wheels", self._wheels() / "site"]
        words += [word for path in content.overlays for word in ("--overlay", path)]
        words += [word for key in content.admins for word in ("--admin-key", key)]
        words += ["--board", self._board, "--keyring", self._maker.authority, "--version", content.version]
        words += ["--epoch", str(BUILT_AT), "--out", part / "root"]
        module = [sys.executable, "-m", root_filesystem.__name__]
        run([*_as_owner(), *module, *words], ROOT, timeout_s=1800, environment=_importing())
        run([*_as_owner(), "rm", "-rf", part / "tree"])
        append_hashes(part / "root", part / "root-hash")

    def _make_fit(self, part: Path, root_hash: str, version: str) -> None:
        """`initrd` and `fit` in `part`."""
        modules = [
            name for where in (self._board, "common") for name in names_in(BOARD / where / "initrd-modules")
        ]
        initrd, kernel = part / "initrd", self._kernel()
        write_initrd(initrd, BOARD / "common/init", kernel, modules, self._base() / "base.tar", root_hash)
        write_fit(part / "fit", kernel / "vmlinuz", initrd, version, self._keys, BUILT_AT)

    def _of_boot(self) -> tuple[str, ...]:
        """Hashes of all that boots a root."""
        return (
            digest_of_files(BOARD / "common", BOARD / self._board, self._keys, UBOOT),
            digest_of_files(*(HERE / name for name in ("initrd.py", "boot_chain.py", "disk.py"))),
            self._tools,
        )

    def _base(self) -> Path:
        packages = names_in(HERE / "packages")
        key = digest_of((*packages, digest_of_files(HERE / "debian.py")))
        return self._stage(
            "base",
            key,
            lambda part: debian.base(packages, part / "base.tar"),
            "a Debian for ARM64: some six minutes, once",
        )

    def _kernel(self) -> Path:
        lists = (HERE / "modules", *(BOARD / name / "initrd-modules" for name in ("common", self._board)))
        wanted = [name for file in lists for name in names_in(file)]
        key = digest_of((*wanted, digest_of_files(HERE / "kernel.py", HERE / "tpm_module.py"), self._tools))
        packages = Arm64Packages(self._cache / "apt")
        return self._stage("kernel", key, lambda part: unpack_kernel(wanted, packages, part))

    def _wheels(self) -> Path:
        requirements = locked(needed(ROOT / "pyproject.toml"), (ROOT / "requirements.lock").read_text())
        key = digest_of((requirements, digest_of_files(HERE / "wheels.py")))
        return self._stage("wheels", key, lambda part: install_wheels(requirements, part / "site"))

    def _stage(self, name: str, key: str, make: Callable[[Path], None], about: str = "") -> Path:
        wanted = self._cache / f"{name}-{key}"
        if not wanted.exists():
            self._say(f"image: {name} ..." + (f" ({about})" if about else ""))
        begun = time.monotonic()
        found = made(wanted, make, keep=KEPT)
        spent = time.monotonic() - begun
        if spent > 1:
            self._say(f"image: {name} made in {spent:.0f} s")
        return found


def append_hashes(root: Path, root_hash: Path) -> None:
    """Append dm-verity's tree to a file system, and write the root hash to another file.

    Salt and UUID are fixed, so that the same root has the same hash: what they are for, other roots
    on the same disk, is no secret here.
    """
    length = root.stat().st_size
    blocks = -(-length // 4096)
    with root.open("r+b") as file:
        file.truncate(blocks * 4096)
    words: list[str | Path] = [
        "veritysetup",
        "format",
        root,
        root,
        f"--data-blocks={blocks}",
        f"--hash-offset={blocks * 4096}",
    ]
    words += [f"--salt={digest_of(('conclave',)) * 4}", "--uuid=4d1b6c1b-5b0f-4b52-9e0b-0c0e5a4e0010"]
    words += [f"--root-hash-file={root_hash}"]
    run(words)


def _project_version() -> str:
    import tomllib

    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


def _as_owner() -> list[str]:
    """Words before a program that gives files to root."""
    if os.geteuid() == 0:
        return []
    need("fakeroot", hint=debian.SETUP)
    return ["fakeroot", "--"]


def _importing() -> dict[str, str]:
    folders = [str(ROOT), *(str(ROOT / name) for name in ("daemon", "provisioning", "hal"))]
    return {**os.environ, "PYTHONPATH": ":".join(folders)}


def main() -> None:
    """`python -m tests.image.build.image`: build, and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", metavar="VERSION", help="make a bundle with this version instead")
    version = parser.parse_args().update
    print(update(layers=(TEST_LAYER,), version=version).bundle if version else image())


if __name__ == "__main__":
    main()
