"""Sources from a Debian mirror: what is upstream's is fetched and checked, and what is not is named."""

import hashlib
import json
import lzma
import subprocess
import sys
from pathlib import Path

import pytest

from tests.firmware.buildroot_tree import EXTERNAL

TOOL = EXTERNAL / "mirror/from_debian.py"


def sum_of(data: bytes) -> str:
    """Its sha256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


class World:
    """A mirror, a checkout of Buildroot, and what show-info tells, all in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = ""
        self.told: dict[str, object] = {}
        (folder / "br/package").mkdir(parents=True)
        (folder / "debian/dists/sid/main/source").mkdir(parents=True)

    def source(self, name: str, data: bytes, *, told_as: bytes | None = None, is_there: bool = True) -> None:
        """A tarball of Debian's; `told_as` is what its index says it is."""
        about = told_as if told_as is not None else data
        self.index += f"Package: {name}\nDirectory: pool/main/{name}\nChecksums-Sha256:\n"
        self.index += f" {sum_of(about)} {len(about)} {name}_1.orig.tar.gz\n\n"
        if is_there:
            place = self.folder / f"debian/pool/main/{name}/{name}_1.orig.tar.gz"
            place.parent.mkdir(parents=True)
            place.write_bytes(data)

    def package(self, name: str, upstream: bytes | None) -> None:
        """A package of Buildroot's, with the hash of upstream's tarball, or without one."""
        self.told[name] = {
            "dl_dir": name,
            "downloads": [{"source": f"{name}-1.tar.gz", "uris": ["https+https://example.org"]}],
        }
        if upstream is not None:
            place = self.folder / f"br/package/{name}"
            place.mkdir()
            (place / f"{name}.hash").write_text(f"# Locally\nsha256  {sum_of(upstream)}  {name}-1.tar.gz\n")

    def fetch(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The tool on all of this."""
        packed = lzma.compress(self.index.encode())
        (self.folder / "debian/dists/sid/main/source/Sources.xz").write_bytes(packed)
        (self.folder / "info.json").write_text(json.dumps(self.told))
        where = (self.folder / "br", self.folder / "info.json", self.folder / "dl")
        mirror = ("--mirror", (self.folder / "debian").as_uri(), "--suite", "sid")
        return subprocess.run([sys.executable, TOOL, *where, *mirror, *words], capture_output=True, text=True)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty one."""
    return World(tmp_path)


def test_debians_tarball_that_is_upstreams_is_kept_under_upstreams_name(world: World) -> None:
    world.source("tool", b"upstream's")
    world.package("tool", b"upstream's")
    assert world.fetch().returncode == 0
    assert (world.folder / "dl/tool/tool-1.tar.gz").read_bytes() == b"upstream's"


def test_a_repacked_one_is_named_and_not_fetched(world: World) -> None:
    world.source("tool", b"repacked")
    world.package("tool", b"upstream's")
    done = world.fetch()
    assert done.returncode == 1
    assert "tool: tool-1.tar.gz: neither Debian nor PyPI has this file" in done.stdout
    assert not (world.folder / "dl").exists()


def test_one_that_is_not_what_the_index_says_is_not_kept(world: World) -> None:
    world.source("tool", b"altered", told_as=b"upstream's")
    world.package("tool", b"upstream's")
    done = world.fetch()
    assert done.returncode == 1
    assert "cannot be fetched, or is another file" in done.stdout
    assert not (world.folder / "dl").exists()


def test_one_that_the_pool_has_no_longer_is_named(world: World) -> None:
    world.source("tool", b"upstream's", is_there=False)
    world.package("tool", b"upstream's")
    assert "cannot be fetched" in world.fetch().stdout


def test_a_file_without_a_hash_is_never_guessed(world: World) -> None:
    world.source("tool", b"upstream's")
    world.package("tool", None)
    done = world.fetch()
    assert done.returncode == 1
    assert "names no sha256 of it" in done.stdout


def test_what_is_there_is_not_fetched_again(world: World) -> None:
    world.source("tool", b"upstream's")
    world.package("tool", b"upstream's")
    world.fetch()
    assert "1 were there, 0 fetched, 0 lack" in world.fetch().stdout


def test_a_list_fetches_nothing(world: World) -> None:
    world.source("tool", b"upstream's")
    world.package("tool", b"upstream's")
    assert "1 fetched" in world.fetch("--list").stdout
    assert not (world.folder / "dl").exists()


def test_sources_in_the_checkout_are_nobodys_to_fetch(world: World) -> None:
    world.told["conclave"] = {"downloads": [{"source": "conclave.tar.gz", "uris": ["local+/somewhere"]}]}
    assert world.fetch().returncode == 0
