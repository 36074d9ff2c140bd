"""Whoever gets the device next finds nothing of who had it before, also when the power fails in between."""

import shutil
from pathlib import Path

import pytest

from tests.systemd.device_root import SOURCE, run
from tests.systemd.power_cut import PowerCuts

RESET = SOURCE / "libexec/factory-reset"
FIRSTBOOT = SOURCE / "libexec/firstboot"
DEVICE = Path("var/lib/conclave-device")
GOES = (
    "var/lib/conclave-device/network/50-wifi.network",
    "var/lib/iwd/office.psk",
    "var/lib/NetworkManager/secret_key",
    "var/log/journal/0123456789abcdef0123456789abcdef/system.journal",
    "var/log/wtmp",
    "var/tmp/left",
    "var/cache/left",
)
STAYS = (
    "var/lib/conclave-device/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/timesync/clock",
    "var/lib/rauc/slot.raucs",
    "var/lib/conclave/settings.json",  # the daemon's own to erase
)


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A device that somebody had."""
    root = tmp_path / "used"
    run(FIRSTBOOT, root)
    for name in (*GOES, *STAYS):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}\n")
    return root


def check_reset(root: Path) -> None:
    left = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert left == set(STAYS)


def test_it_leaves_what_is_nobodys(used: Path) -> None:
    run(RESET, used)
    check_reset(used)


def test_the_next_owner_gets_keys_of_their_own(used: Path) -> None:
    before = (used / DEVICE / "ssh/ssh_host_ed25519_key").read_bytes()
    run(RESET, used)
    run(FIRSTBOOT, used)
    assert (used / DEVICE / "ssh/ssh_host_ed25519_key").read_bytes() != before


def test_what_links_lead_to_stays(used: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (used / "var/tmp/link").symlink_to(outside)
    run(RESET, used)
    assert (outside / "kept").exists()


def test_a_start_without_a_reset_before_it_removes_nothing(used: Path) -> None:
    before = sorted(used.rglob("*"))
    run(RESET, "--rest", used)
    assert sorted(used.rglob("*")) == before


def test_the_mark_is_on_the_disk_before_anything_goes(used: Path, tmp_path: Path) -> None:
    cuts = PowerCuts(tmp_path / "cuts")
    assert cuts.run(RESET, used, cut_after=1000)
    removals = [index for index, call in enumerate(cuts.calls) if call[0] in ("rm", "find")]
    mark = used / DEVICE / "factory-reset"
    assert cuts.calls[removals[0] - 1] == ["sync", str(mark), str(mark.parent)]
    assert cuts.calls[removals[-1]] == ["rm", "-f", str(mark)]


def test_a_power_cut_anywhere_is_followed_by_the_rest(used: Path, tmp_path: Path) -> None:
    """Or the reset was not begun, and everything is there."""
    cuts = PowerCuts(tmp_path / "cuts")
    begun = 0
    for after in range(1000):
        root = tmp_path / str(after)
        shutil.copytree(used, root, symlinks=True)
        before = sorted(root.rglob("*"))
        if cuts.run(RESET, root, cut_after=after):
            break
        if (root / DEVICE / "factory-reset").exists():
            begun += 1
            run(RESET, "--rest", root)
        if (root / DEVICE / "ssh/ssh_host_ed25519_key").exists():
            assert sorted(root.rglob("*")) == before
        else:
            check_reset(root)
    assert begun > 5
