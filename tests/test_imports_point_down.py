"""The house rule of DESIGN §2: a room imports only from floors below it."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "conclaved": ROOT / "daemon/conclaved",
    "conclave_provisioning": ROOT / "provisioning/conclave_provisioning",
    "conclave_hal": ROOT / "hal/conclave_hal",
}

# What each room may import of ours. A room may always import itself.
MAY_IMPORT: dict[str, set[str]] = {
    "conclave_hal": set(),
    "conclave_provisioning": set(),
    "conclaved.mls": set(),
    "conclaved.sframe": set(),
    "conclaved.rtp": set(),
    "conclaved.identity": set(),
    "conclaved.updates": set(),
    "conclaved.meeting": {"conclaved.mls", "conclaved.sframe", "conclaved.identity"},
    "conclaved.conference": {"conclaved.mls", "conclaved.rtp", "conclaved.identity", "conclaved.meeting"},
    "conclaved.media": {"conclave_hal", "conclaved.sframe", "conclaved.rtp", "conclaved.meeting"},
    "conclaved.bus": {"conclaved.meeting", "conclaved.identity"},
    "conclaved.service": {
        "conclave_hal",
        "conclave_provisioning.enrollment",
        "conclaved.mls",
        "conclaved.sframe",
        "conclaved.rtp",
        "conclaved.identity",
        "conclaved.meeting",
        "conclaved.conference",
        "conclaved.media",
        "conclaved.bus",
        "conclaved.updates",
    },
}
# Rooms that never touch a socket, clock, file or random source (DESIGN §2).
SANS_IO = ("mls", "sframe", "rtp", "meeting")
FORBIDDEN_IN_SANS_IO = {"asyncio", "socket", "ssl", "time", "threading", "random", "pathlib", "subprocess"}


def room_of(path: Path) -> str:
    for name, folder in PACKAGES.items():
        if path.is_relative_to(folder):
            parts = [name, *path.relative_to(folder).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
            module = ".".join(parts)
            rooms = (r for r in MAY_IMPORT if module == r or module.startswith(r + "."))
            return max(rooms, key=len, default=module)
    raise AssertionError(path)


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import on line {node.lineno}"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files() -> list[Path]:
    return [path for folder in PACKAGES.values() for path in sorted(folder.rglob("*.py"))]


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_from_floors_below_its_room(path: Path) -> None:
    room = room_of(path)
    for module in imports_of(path):
        if module.split(".")[0] not in PACKAGES:
            continue
        allowed = {room, *MAY_IMPORT.get(room, set())}
        assert any(module == a or module.startswith(a + ".") for a in allowed), (
            f"{path.relative_to(ROOT)} is in {room} and may not import {module}"
        )


@pytest.mark.parametrize("room", SANS_IO)
def test_a_sans_io_room_touches_no_clock_socket_file_or_thread(room: str) -> None:
    for path in sorted((PACKAGES["conclaved"] / room).rglob("*.py")):
        touched = {module.split(".")[0] for module in imports_of(path)} & FORBIDDEN_IN_SANS_IO
        assert not touched, f"{path.relative_to(ROOT)} imports {touched}"


def module_of(path: Path) -> str:
    for name, folder in PACKAGES.items():
        if path.is_relative_to(folder):
            parts = [name, *path.relative_to(folder).with_suffix("").parts]
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    raise AssertionError(path)


def test_no_files_import_each_other_in_a_circle() -> None:
    modules = {module_of(path): path for path in files()}
    graph = {
        module: {
            name if name in modules else name.rpartition(".")[0]
            for name in imports_of(path)
            if name.split(".")[0] in PACKAGES
        }
        for module, path in modules.items()
    }
    # Raises CycleError, which names the circle.
    assert len(list(TopologicalSorter(graph).static_order())) >= len(modules)
