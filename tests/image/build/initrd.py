"""The initrd: a shell, what opens the verified root, and the hash of that root."""

import gzip
import re
from pathlib import Path

from tests.building.initial_files import Entry, archive, file, folder, link
from tests.building.kernel_modules import load_order, modules_in
from tests.building.programs import BuildError, run

FOLDERS = (
    "bin",
    "dev",
    "etc",
    "lib",
    "modules",
    "proc",
    "root",
    "run",
    "sbin",
    "sys",
    "usr",
    "usr/sbin",
    "usr/lib",
)
PROGRAM = "usr/sbin/veritysetup"
LIBRARIES = ("lib", "usr/lib", "lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu")
_NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")
_LOADER = re.compile(r"program interpreter: (\S+)\]")


def write_initrd(
    target: Path, init: Path, kernel: Path, modules: list[str], base: Path, root_hash: str
) -> None:
    """Writes it, compressed. `base` is a tar that has `veritysetup` and its libraries. Raises BuildError."""
    files = modules_in(kernel / "lib/modules")
    order = load_order(modules, files)
    scratch = target.with_name("initrd-parts")
    scratch.mkdir()
    run(["tar", "-xf", base, "-C", scratch, "--wildcards", f"./{PROGRAM}", "./lib", *LIBRARY_PATTERNS])
    entries: list[Entry] = [
        *(folder(name) for name in FOLDERS),
        file("init", init.read_bytes(), is_program=True),
        file("bin/busybox", (kernel / "busybox").read_bytes(), is_program=True),
        link("bin/sh", "busybox"),
        file("modules/order", "".join(f"{name}.ko\n" for name in order).encode()),
        *(file(f"modules/{name}.ko", files[name].read_bytes()) for name in order),
        file("etc/root-hash", f"{root_hash}\n".encode()),
        *_with_libraries(scratch),
    ]
    # The date of compression is left out, so that the same entries give the same bytes.
    target.write_bytes(gzip.compress(archive(entries), compresslevel=6, mtime=0))
    run(["rm", "-rf", scratch])


LIBRARY_PATTERNS = ("./usr/lib/aarch64-linux-gnu/*.so*", "./usr/lib/ld-linux-aarch64.so.1")


def _with_libraries(tree: Path) -> list[Entry]:
    """The program, its loader, and every library that it needs."""
    program = tree / PROGRAM
    loader = _LOADER.search(run(["readelf", "-l", program]))
    if loader is None:
        raise BuildError(f"{PROGRAM} is not a program of ARM64 Linux")
    found: dict[str, Path] = {loader[1].lstrip("/"): _inside(tree, loader[1])}
    waiting = [program]
    while waiting:
        for name in _NEEDED.findall(run(["readelf", "-d", waiting.pop()])):
            if f"lib/{name}" not in found and Path(loader[1]).name != name:
                found[f"lib/{name}"] = _library(tree, name)
                waiting.append(found[f"lib/{name}"])
    return [
        file(PROGRAM, program.read_bytes(), is_program=True),
        *(file(name, path.read_bytes(), is_program=True) for name, path in sorted(found.items())),
    ]


def _library(tree: Path, name: str) -> Path:
    for place in LIBRARIES:
        if (tree / place / name).exists():
            return (tree / place / name).resolve()
    raise BuildError(f"the base has no {name}, which {PROGRAM} needs")


def _inside(tree: Path, path: str) -> Path:
    found = tree / path.lstrip("/")
    return found if found.exists() else _library(tree, found.name)
