"""Where the peers' programs come from, and what is said where they cannot."""

import shutil
import stat
from pathlib import Path

import pytest

from tests.peers import build
from tests.peers.build import NAMES, PeerBuildFailed, PeerMissing, command, missing, program
from tests.peers.warming import warming_leaves


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and sources of our own, which can be changed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    here = tmp_path / "peers"
    ignored = shutil.ignore_patterns("node_modules", "target")
    for folder in ("rust", "ts"):
        shutil.copytree(Path(build.__file__).parent / folder, here / folder, ignore=ignored)
    monkeypatch.setattr(build, "HERE", here)
    return build.cache_folder()


def have(folder: Path, monkeypatch: pytest.MonkeyPatch, **tools: str) -> None:
    """Let only these tools be found: shell scripts by name."""
    folder.mkdir(parents=True)
    for name, script in tools.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(
    ("name", "tool"), [("openmls", "cargo"), ("mls-rs-awslc", "cargo"), ("ts-mls", "node")]
)
def test_without_its_tools_a_peer_is_missing_and_says_what_to_install(
    name: str, tool: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have(tmp_path / "bin", monkeypatch)
    with pytest.raises(PeerMissing, match=f"{tool} is missing; install"):
        program(name)
    assert str(missing(name)).startswith(f"{tool} is missing")


def test_tools_that_are_too_old_are_as_good_as_missing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have(tmp_path / "bin", monkeypatch, cargo="echo cargo 1.63.0", node="echo v18.19.0")
    assert "cargo is too old (cargo 1.63.0)" in str(missing("openmls"))
    assert "node is too old (v18.19.0)" in str(missing("ts-mls"))


def test_cargo_is_found_where_rustup_puts_it(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have(tmp_path / "bin", monkeypatch, cc="true")
    assert str(missing("openmls")).startswith("cargo is missing")
    have(tmp_path / ".cargo" / "bin", monkeypatch, cargo="echo cargo 1.95.0", cc="true")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert missing("openmls") is None


def test_there_is_no_other_peer(cache: Path) -> None:
    with pytest.raises(PeerMissing, match="there is no peer opensls"):
        command("opensls")


CARGO = """
[ "$1" = --version ] && { echo cargo 1.95.0; exit; }
mkdir=%(mkdir)s
$mkdir -p "$CARGO_TARGET_DIR/release"
echo once >> "$CARGO_TARGET_DIR/runs"
echo built > "$CARGO_TARGET_DIR/release/peer-openmls"
"""


def test_a_program_is_built_once_and_again_when_its_source_changes(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cargo = CARGO % {"mkdir": shutil.which("mkdir")}
    have(tmp_path / "bin", monkeypatch, cargo=cargo, cc="true")
    first = program("openmls")
    assert (first.read_text(), program("openmls"), command("openmls")) == ("built\n", first, [str(first)])
    source = build.HERE / "rust" / "openmls" / "src" / "main.rs"
    source.write_text(source.read_text() + "\n// changed\n")
    second = program("openmls")
    assert second != first
    assert (cache / "target" / "runs").read_text() == "once\nonce\n"


def test_a_failed_build_tells_the_end_of_its_log(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cargo = '[ "$1" = --version ] && { echo cargo 1.95.0; exit; }\necho error: no network\nexit 101'
    have(tmp_path / "bin", monkeypatch, cargo=cargo, cc="true")
    with pytest.raises(PeerBuildFailed, match="error: no network"):
        program("openmls")
    assert not [path for path in cache.rglob("peer-openmls*") if path.is_file()]


def test_every_peer_has_a_place_of_its_own(cache: Path) -> None:
    assert len({build.place(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("n", [4, 10, 100, 1000])
def test_the_leaves_that_warm_a_tree_leave_out_the_special_ones(n: int) -> None:
    leaves = warming_leaves(n)
    assert len(leaves) == len(set(leaves)) == min(20, n - 3)
    assert not {0, n // 2, n - 1} & set(leaves)
    assert max(leaves) < n


def test_the_peers_are_asked_with_their_interpreter(cache: Path) -> None:
    place = build.place("ts-mls")
    place.parent.mkdir(parents=True)
    place.touch()
    assert command("ts-mls") == ["node", "--expose-gc", str(place)]
