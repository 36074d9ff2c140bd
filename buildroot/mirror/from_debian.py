#!/usr/bin/env python3
"""Fetches a build's sources from Debian's mirrors and PyPI, where upstream sites are out of reach.

Buildroot's hash files and Debian's index of sources both name sha256 sums: where they are equal, Debian's
tarball is upstream's, whatever its name. What comes from PyPI is fetched there. Each file is checked before
it is kept, and what is found nowhere is named: it needs another source, or an override of its version
(README.md).

    from_debian.py BUILDROOT SHOW_INFO DL_FOLDER [--mirror URL] [--suite NAME]... [--list]

SHOW_INFO is what `make show-info` prints of a configuration. Needs nothing but Python.
"""

import argparse
import hashlib
import json
import lzma
import re
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MIRROR = "https://deb.debian.org/debian"
SUITES = ("sid", "trixie", "bookworm")
PYPI = "https://files.pythonhosted.org/"
_HASH = re.compile(r"^sha256\s+([0-9a-f]{64})\s+(\S+)", re.M)
_FIELD = re.compile(r"^([A-Za-z0-9-]+):(.*(?:\n .*)*)", re.M)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that a package is built from."""

    package: str
    folder: str
    """Below Buildroot's download folder."""
    name: str
    sites: tuple[str, ...]
    sums: frozenset[str]
    """sha256 sums that Buildroot accepts; none where it names another kind of sum, or none at all."""


@dataclass
class Found:
    """What could be had, from where, and what could not."""

    kept: list[Wanted] = field(default_factory=list)
    fetched: dict[Wanted, str] = field(default_factory=dict)
    lacking: dict[Wanted, str] = field(default_factory=dict)
    """With the reason."""


def sums_of(folders: Iterable[Path]) -> dict[str, frozenset[str]]:
    """All sums of Buildroot's hash files below `folders`, by the file's name."""
    found: dict[str, set[str]] = {}
    for folder in folders:
        for file in folder.rglob("*.hash"):
            for value, name in _HASH.findall(file.read_text(errors="replace")):
                found.setdefault(name, set()).add(value)
    return {name: frozenset(values) for name, values in found.items()}


def wanted_of(show_info: dict[str, Any], sums: dict[str, frozenset[str]]) -> list[Wanted]:
    """Every file that the packages of a configuration are built from, each once."""
    found: dict[tuple[str, str], Wanted] = {}
    for package, about in sorted(show_info.items()):
        for download in about.get("downloads", ()):
            sites = tuple(site.split("+", 1)[-1] for site in download["uris"])
            if any(uri.startswith("local+") for uri in download["uris"]):
                continue
            name, folder = download["source"], about.get("dl_dir", package)
            one = Wanted(package, folder, name, sites, sums.get(name, frozenset()))
            found.setdefault((folder, name), one)
    return list(found.values())


def in_debian(index: str) -> Iterator[tuple[str, str]]:
    """Sums and paths of each source file of an index `Sources` (deb822; Debian's repository format)."""
    for paragraph in index.split("\n\n"):
        fields = {name: value.strip() for name, value in _FIELD.findall(paragraph)}
        for line in fields.get("Checksums-Sha256", "").splitlines():
            words = line.split()
            if len(words) == 3:
                yield words[0], f"{fields['Directory']}/{words[2]}"


def place_of(one: Wanted, debian: dict[str, list[str]], mirror: str) -> list[str]:
    """Addresses where a file may be had; Debian's index may name what its pool has no longer."""
    places = [f"{mirror}/{path}" for value in one.sums for path in debian.get(value, ())]
    for site in one.sites:
        if site.startswith(PYPI) or "/debian/pool/" in site:
            places.append(site if site.endswith(f"/{one.name}") or "?" in site else f"{site}/{one.name}")
    return [place.partition("?")[0] for place in places]


def fetch(one: Wanted, places: list[str], target: Path) -> str | None:
    """Fetch from the first place that has it with the right sum; returns that place."""
    for place in places:
        try:
            with urllib.request.urlopen(place, timeout=300) as answer:  # noqa: S310
                data = answer.read()
        except OSError:
            continue
        if not one.sums or hashlib.sha256(data).hexdigest() in one.sums:
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.part")
            part.write_bytes(data)
            part.rename(target)
            return place
    return None


def collect(
    wanted: list[Wanted], debian: dict[str, list[str]], mirror: str, folder: Path, *, only_list: bool
) -> Found:
    """Fetch all that can be had into `folder`, as Buildroot's download folder is laid out."""
    found = Found()
    for one in wanted:
        target = folder / one.folder / one.name
        places = place_of(one, debian, mirror)
        if target.exists():
            found.kept.append(one)
        elif not places:
            reason = "neither Debian nor PyPI has this file"
            found.lacking[one] = reason if one.sums else "Buildroot names no sha256 of it to look for"
        elif only_list:
            found.fetched[one] = places[0]
        elif (place := fetch(one, places, target)) is not None:
            found.fetched[one] = place
            print(f"mirror: {one.name} from {place}", flush=True)
        else:
            found.lacking[one] = f"cannot be fetched, or is another file: {places[0]}"
    return found


def read_index(mirror: str, suite: str) -> str:
    """The index of a suite's sources. Raises OSError."""
    with urllib.request.urlopen(f"{mirror}/dists/{suite}/main/source/Sources.xz", timeout=300) as answer:  # noqa: S310
        return lzma.decompress(answer.read()).decode()


def main() -> int:
    """The command line; 1 if something lacks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("buildroot", type=Path)
    parser.add_argument("show_info", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mirror", default=MIRROR)
    parser.add_argument("--suite", action="append", help=f"default: {', '.join(SUITES)}")
    parser.add_argument("--list", action="store_true", help="fetch nothing, tell what could be had")
    options = parser.parse_args()
    debian: dict[str, list[str]] = {}
    for suite in options.suite or SUITES:
        print(f"mirror: the index of {suite}", flush=True)
        for value, path in in_debian(read_index(options.mirror, suite)):
            debian.setdefault(value, []).append(path)
    ours = Path(__file__).parents[1]
    sums = sums_of((options.buildroot, ours))
    wanted = wanted_of(json.loads(options.show_info.read_text()), sums)
    found = collect(wanted, debian, options.mirror, options.folder, only_list=options.list)
    print(f"mirror: {len(found.kept)} were there, {len(found.fetched)} fetched, {len(found.lacking)} lack")
    for one, reason in sorted(found.lacking.items(), key=lambda item: item[0].name):
        print(f"mirror: {one.package}: {one.name}: {reason}")
    return 1 if found.lacking else 0


if __name__ == "__main__":
    sys.exit(main())
