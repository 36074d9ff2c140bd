"""Puts the root file system together and makes a squashfs of it: root, or fakeroot, owns what is in it.

Everything that decides its content comes as an argument; the same arguments give the same bytes.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from tests.building.programs import run
from tests.image.build.kernel import names_in

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SITE = Path("usr/local/lib/python3.11/dist-packages")
"""Goes before Debian's own packages of Python (site(7), Debian's Python policy)."""
STANDARD = (Path("usr/lib/python3.11"), Path("usr/lib/python3/dist-packages"))
SHIPPED = ("conclaved", "conclave_provisioning", "conclave_hal")
VAR = {
    "cache": 0o755,
    "cache/private": 0o700,
    "lib": 0o755,
    "lib/private": 0o700,
    "lib/systemd": 0o755,
    "log": 0o755,
    "log/private": 0o700,
    "spool": 0o755,
    "tmp": 0o1777,
}
"""What a first boot finds on the data partition; tmpfiles.d and StateDirectory= make the rest."""


def build(options: argparse.Namespace) -> None:
    """Make the squashfs `options.out`, and `options.out`.contents with what is in it."""
    tree: Path = options.out.with_name("tree")
    tree.mkdir()
    run(["tar", "-xf", options.base, "-C", tree, "--exclude=./dev/*", "--numeric-owner"])
    _keep_list_of_packages(tree)
    for pattern in names_in(HERE / "left-out"):
        for path in tree.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    run(["cp", "-a", options.kernel / "lib/modules", tree / "usr/lib/"])
    _put_packages(tree, options.wheels)
    run([ROOT / "systemd/install.sh", tree])
    for overlay in options.overlay:
        run(["cp", "-a", "--no-preserve=ownership", f"{overlay}/.", tree])
    _name_board(tree, options.board)
    shutil.copy(options.keyring, tree / "etc/rauc/keyring.pem")
    _let_in(tree, options.admin_key)
    _name_release(tree, options.version)
    run(["systemd-sysusers", f"--root={tree}"])
    date_accounts(tree, options.epoch)
    run(["systemctl", f"--root={tree}", "preset-all"])
    _prepare_read_only(tree)
    _compile(tree)
    words = ["mksquashfs", tree, options.out, "-quiet", "-no-progress", "-noappend", "-no-exports"]
    # Level 3: a second of work, and a tenth larger than the slow levels make it.
    words += ["-comp", "zstd", "-Xcompression-level", "3", "-reproducible"]
    words += ["-all-time", str(options.epoch), "-mkfs-time", str(options.epoch)]
    # The date is for tools of squashfs that take no second word on it.
    run(words, environment={k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"})


def _keep_list_of_packages(tree: Path) -> None:
    """Names and versions, for who asks what is in it: dpkg's own folder does not stay."""
    listing = run(
        [
            "dpkg-query",
            f"--admindir={tree}/var/lib/dpkg",
            "-W",
            "-f",
            "${Package} ${Version} ${Installed-Size}\n",
        ]
    )
    place = tree / "usr/share/conclave/debian-packages"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(listing)


def _put_packages(tree: Path, wheels: Path) -> None:
    """PyPI's packages, then ours with the metadata by which they know their version."""
    site = tree / SITE
    shutil.rmtree(site, ignore_errors=True)
    run(["cp", "-a", "--no-preserve=ownership", wheels, site])
    for found in site.rglob("*"):
        if found.is_dir() and found.name in ("tests", "test"):
            shutil.rmtree(found)
    for name, folder in zip(SHIPPED, ("daemon", "provisioning", "hal"), strict=True):
        shutil.copytree(ROOT / folder / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    about = site / f"conclave-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: conclave\nVersion: {version}\n")


def _name_board(tree: Path, board: str) -> None:
    """RAUC refuses bundles for another one."""
    settings = tree / "etc/rauc/system.conf"
    settings.write_text(settings.read_text().replace("@COMPATIBLE@", compatible(board)))


def compatible(board: str) -> str:
    """What RAUC calls devices of a board, in its settings and in bundles."""
    return f"conclave-{board}"


def _let_in(tree: Path, keys: list[str]) -> None:
    """A machine for developers knows its admin's key from the start."""
    if keys:
        with (tree / "etc/conclave/conclave.toml").open("a") as config:
            listed = ", ".join(f'"{key}"' for key in keys)
            config.write(f"\n[access]\nkeys = [{listed}]\n")


def _name_release(tree: Path, version: str) -> None:
    told = tree / "usr/lib/os-release"
    lines = [line for line in told.read_text().splitlines() if not line.startswith("PRETTY_NAME=")]
    lines += [f'PRETTY_NAME="Conclave {version}"', "IMAGE_ID=conclave", f'IMAGE_VERSION="{version}"']
    told.write_text("\n".join(lines) + "\n")


def date_accounts(tree: Path, epoch: int) -> None:
    """Accounts are as old as the source is (shadow(5), third field), not as the day of the build."""
    for name in ("etc/shadow", "etc/shadow-"):
        place = tree / name
        if place.exists():
            accounts = [line.split(":") for line in place.read_text().splitlines()]
            for account in accounts:
                account[2] = str(epoch // 86_400)
            place.write_text("".join(":".join(account) + "\n" for account in accounts))


def _prepare_read_only(tree: Path) -> None:
    """Nothing of /etc can be written on the device, and /var is another partition."""
    (tree / "etc/machine-id").write_text("")
    (tree / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    resolver = tree / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.symlink_to("../run/systemd/resolve/stub-resolv.conf")
    (tree / "etc/hostname").write_text("room\n")
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 room\n")
    (tree / "etc/fstab").write_text("# The initrd mounts what there is.\n")
    shutil.rmtree(tree / "var")
    skeleton = tree / "usr/share/factory/var"
    shutil.rmtree(skeleton, ignore_errors=True)
    skeleton.mkdir(parents=True)
    for name, mode in VAR.items():
        (skeleton / name).mkdir()
        (skeleton / name).chmod(mode)
    (skeleton / "run").symlink_to("/run")
    (skeleton / "lock").symlink_to("/run/lock")
    (tree / "var").mkdir(mode=0o755)


def _compile(tree: Path) -> None:
    """Byte code for every module, for its Python: without a date, so that it stays good, or paths of ours."""
    folders = [path for path in (*STANDARD, SITE) if (tree / path).exists()]
    for cache in [found for folder in folders for found in (tree / folder).rglob("__pycache__")]:
        shutil.rmtree(cache)
    words: list[str | Path] = [
        "-m",
        "compileall",
        "-q",
        "-j",
        "0",
        "--invalidation-mode",
        "unchecked-hash",
        "-s",
        tree,
        "-p",
        "/",
    ]
    words += [tree / folder for folder in folders]
    # A module for another system, or a template, may be none of this Python's.
    if sys.version_info[:2] == (3, 11):
        python: list[str | Path] = [sys.executable]
        environment = dict(os.environ)
    else:
        python = ["qemu-aarch64-static", "-L", tree, tree / "usr/bin/python3.11"]
        environment = {**os.environ, "PYTHONHOME": str(tree / "usr")}
    # Whoever builds may keep byte code elsewhere: the image's lies beside its modules.
    environment.pop("PYTHONPYCACHEPREFIX", None)
    run([*python, *words], environment={**environment, "PYTHONHASHSEED": "0"}, timeout_s=1800)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--kernel", type=Path, required=True)
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--overlay", type=Path, action="append", default=[])
    parser.add_argument("--board", required=True)
    parser.add_argument("--keyring", type=Path, required=True)
    parser.add_argument("--admin-key", action="append", default=[])
    parser.add_argument("--version", required=True)
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    build(parser.parse_args())


if __name__ == "__main__":
    main()
