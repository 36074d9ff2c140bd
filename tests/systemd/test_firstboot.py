"""What each device makes for itself, also when its power fails in between."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.swtpm import Swtpm
from tests.systemd.device_root import SOURCE, run
from tests.systemd.power_cut import PowerCuts

FIRSTBOOT = SOURCE / "libexec/firstboot"
OFFER = SOURCE / "libexec/wrapping-key"
MADE = (
    "ssh/ssh_host_ed25519_key",
    "ssh/ssh_host_ed25519_key.pub",
    "ssh/ssh_host_ecdsa_key",
    "ssh/ssh_host_ecdsa_key.pub",
    "credstore/wrapping-key",
)


def made(root: Path) -> dict[str, bytes]:
    """What there is of what it makes, and nothing else."""
    device = root / "var/lib/conclave-device"
    return {str(path.relative_to(device)): path.read_bytes() for path in device.rglob("*") if path.is_file()}


def wrapping_key(root: Path) -> bytes:
    """The key that the file holds. Raises CalledProcessError if it cannot be opened."""
    return subprocess.run(
        [
            "systemd-creds",
            "decrypt",
            "--name=wrapping-key",
            root / "var/lib/conclave-device/credstore/wrapping-key",
            "-",
        ],
        env={"SYSTEMD_CREDENTIAL_SECRET": str(root / "var/lib/systemd/credential.secret")},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


def check_whole(root: Path) -> None:
    """Whatever has its name is whole: keys match their public halves, the wrapping key opens."""
    device = root / "var/lib/conclave-device"
    for key in device.glob("ssh/ssh_host_*_key"):
        assert (
            run("ssh-keygen", "-y", "-f", key).split()[:2] == key.with_suffix(".pub").read_text().split()[:2]
        )
    if (device / "credstore/wrapping-key").exists():
        assert len(wrapping_key(root)) == 32


def test_it_makes_host_keys_and_a_wrapping_key(tmp_path: Path) -> None:
    run(FIRSTBOOT, tmp_path)
    assert set(made(tmp_path)) == set(MADE)
    check_whole(tmp_path)


def test_with_a_tpm_the_wrapping_key_opens_with_that_tpm_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, tools = tmp_path / "root", tmp_path / "tools"
    (root / "dev").mkdir(parents=True)
    (root / "dev/tpmrm0").touch()
    tools.mkdir()
    # The device's own TPM is found by systemd; this one has to be named.
    with Swtpm(tmp_path / "tpm") as tpm:
        stub = (
            f'#!/bin/sh\nverb=$1; shift\nexec /usr/bin/systemd-creds "$verb" --tpm2-device={tpm.tcti} "$@"\n'
        )
        (tools / "systemd-creds").write_text(stub)
        (tools / "systemd-creds").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        assert "sealed with: host+tpm2" in run(FIRSTBOOT, root)
        run(OFFER, root)
        assert (root / "run/credstore.encrypted/wrapping-key").exists()
        tpm.exchange()
        assert "another TPM" in run(OFFER, root)
        assert not (root / "run/credstore.encrypted/wrapping-key").exists()


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    run(FIRSTBOOT, tmp_path)
    before = made(tmp_path)
    assert run(FIRSTBOOT, tmp_path) == ""
    assert made(tmp_path) == before


def test_two_devices_have_nothing_in_common(tmp_path: Path) -> None:
    for name in ("one", "other"):
        run(FIRSTBOOT, tmp_path / name)
    one, other = made(tmp_path / "one"), made(tmp_path / "other")
    assert [name for name in MADE if one[name] == other[name]] == []
    assert wrapping_key(tmp_path / "one") != wrapping_key(tmp_path / "other")


def test_nobody_but_root_reads_them(tmp_path: Path) -> None:
    run(FIRSTBOOT, tmp_path)
    device = tmp_path / "var/lib/conclave-device"
    assert {path.stat().st_mode & 0o077 for path in (device, *device.rglob("*"))} == {0}


def test_no_key_is_told(tmp_path: Path) -> None:
    said = run(FIRSTBOOT, tmp_path)
    assert wrapping_key(tmp_path).hex() not in said
    assert "PRIVATE" not in said


def test_an_empty_file_is_no_key(tmp_path: Path) -> None:
    """As a file system may leave it that lost what was in it."""
    run(FIRSTBOOT, tmp_path)
    for name in MADE:
        (tmp_path / "var/lib/conclave-device" / name).write_bytes(b"")
    run(FIRSTBOOT, tmp_path)
    check_whole(tmp_path)
    assert all(made(tmp_path).values())


def test_a_file_is_on_the_disk_before_it_gets_its_name(tmp_path: Path) -> None:
    cuts = PowerCuts(tmp_path / "cuts")
    assert cuts.run(FIRSTBOOT, tmp_path / "root", cut_after=1000)
    calls = cuts.calls
    moves = [index for index, call in enumerate(calls) if call[0] == "mv"]
    assert len(moves) == len(MADE)
    for index in moves:
        *_, new, name = calls[index]
        assert calls[index - 1] == ["sync", new]
        assert calls[index + 1] == ["sync", str(Path(name).parent)]


def test_the_secret_is_on_the_disk_before_the_key_that_needs_it(tmp_path: Path) -> None:
    cuts = PowerCuts(tmp_path / "cuts")
    root = tmp_path / "root"
    assert cuts.run(FIRSTBOOT, root, cut_after=1000)
    last_move = max(index for index, call in enumerate(cuts.calls) if call[0] == "mv")
    secret = root / "var/lib/systemd/credential.secret"
    assert ["sync", str(secret), str(secret.parent)] in cuts.calls[:last_move]


def test_a_power_cut_anywhere_is_followed_by_the_rest(tmp_path: Path) -> None:
    cuts = PowerCuts(tmp_path / "cuts")
    for after in range(1000):
        root = tmp_path / str(after)
        root.mkdir()
        if cuts.run(FIRSTBOOT, root, cut_after=after):
            break
        check_whole(root)
        before = {name: data for name, data in made(root).items() if name in MADE[::2]}
        run(FIRSTBOOT, root)
        check_whole(root)
        assert set(made(root)) == set(MADE)
        assert before.items() <= made(root).items(), "a key that was there was made anew"
    assert after > len(MADE) * 3


def test_the_key_is_offered_where_it_can_be_opened(tmp_path: Path) -> None:
    run(FIRSTBOOT, tmp_path)
    run(OFFER, tmp_path)
    stored = made(tmp_path)["credstore/wrapping-key"]
    assert (tmp_path / "run/credstore.encrypted/wrapping-key").read_bytes() == stored


def another_devices_disk(root: Path) -> None:
    (root / "var/lib/systemd/credential.secret").unlink()
    run(FIRSTBOOT, root / "elsewhere")
    secret = Path("var/lib/systemd/credential.secret")
    (root / "elsewhere" / secret).rename(root / secret)


def a_damaged_file(root: Path) -> None:
    file = root / "var/lib/conclave-device/credstore/wrapping-key"
    text = bytearray(file.read_bytes())
    text[60] ^= 1
    file.write_bytes(text)


def no_file(root: Path) -> None:
    (root / "var/lib/conclave-device/credstore/wrapping-key").unlink()


@pytest.mark.parametrize("accident", [another_devices_disk, a_damaged_file, no_file])
def test_a_key_that_cannot_be_opened_is_told_of_and_not_offered(
    tmp_path: Path, accident: Callable[[Path], None]
) -> None:
    """And the one that was offered before is taken back."""
    run(FIRSTBOOT, tmp_path)
    run(OFFER, tmp_path)
    accident(tmp_path)
    assert "<3>" in run(OFFER, tmp_path)
    assert list((tmp_path / "run/credstore.encrypted").iterdir()) == []
