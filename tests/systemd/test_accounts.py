"""Accounts, folders and sshd's settings, made by the real programs in a root of their own."""

import os
from pathlib import Path

import pytest

from tests.systemd.device_root import add_the_system, install, run

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root gives folders their owners")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    install(tmp_path)
    add_the_system(tmp_path)
    run("systemd-sysusers", f"--root={tmp_path}")
    return tmp_path


def entries(file: Path) -> dict[str, list[str]]:
    return {line.split(":")[0]: line.split(":") for line in file.read_text().splitlines()}


def test_accounts_have_fixed_numbers(root: Path) -> None:
    users = entries(root / "etc/passwd")
    assert users["conclave"][2:4] == ["970", "970"]
    assert users["admin"][2:4] == ["972", "972"]


def test_the_admin_gets_the_restricted_shell_and_roots_home(root: Path) -> None:
    admin = entries(root / "etc/passwd")["admin"]
    assert admin[5:] == ["/usr/share/conclave/admin", "/usr/bin/conclave-shell"]
    assert (root / admin[5].lstrip("/")).stat().st_uid == os.geteuid()


def test_the_admin_may_administer_and_the_daemon_may_not_log_in(root: Path) -> None:
    groups = entries(root / "etc/group")
    assert groups["conclave-admin"][2:] == ["971", "admin"]
    assert entries(root / "etc/passwd")["conclave"][6] == "/usr/sbin/nologin"


def test_no_account_has_a_password(root: Path) -> None:
    shadow = entries(root / "etc/shadow")
    assert all(shadow[name][1].startswith(("!", "*")) for name in ("conclave", "admin"))


def test_a_system_without_hardware_groups_gets_them(tmp_path: Path) -> None:
    install(tmp_path)
    run("systemd-sysusers", f"--root={tmp_path}")
    wanted = {"video", "render", "audio", "dialout", "input", "tss", "gpio", "leds", "systemd-journal"}
    assert wanted <= set(entries(tmp_path / "etc/group"))


@needs_root
def test_the_devices_folder_is_roots_alone(root: Path) -> None:
    run("systemd-tmpfiles", f"--root={root}", "--create", root / "usr/lib/tmpfiles.d/conclave.conf")
    for name in ("var/lib/conclave-device", "var/lib/conclave-device/ssh", "run/credstore.encrypted"):
        assert ((root / name).stat().st_uid, (root / name).stat().st_mode & 0o777) == (0, 0o700)


def effective(root: Path, tmp_path: Path, user: str) -> dict[str, list[str]]:
    """What sshd makes of the drop-ins for a user: keyword to values."""
    run(root / "usr/libexec/conclave/firstboot", root)
    folder = root / "etc/ssh/sshd_config.d"
    for path in folder.iterdir():
        path.write_text(
            path.read_text().replace(" /var/lib/conclave-device", f" {root}/var/lib/conclave-device")
        )
    main = tmp_path / "sshd_config"
    # As Debian's: the drop-ins first, and of a keyword the first value holds.
    main.write_text(
        f"Include {folder}/*.conf\n"
        "PasswordAuthentication yes\nKbdInteractiveAuthentication yes\nUsePAM yes\nX11Forwarding yes\n"
    )
    said = run("/usr/sbin/sshd", "-T", "-f", main, "-C", f"user={user},host=h,addr=192.0.2.1")
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        keyword, _, value = line.partition(" ")
        # OpenSSH writes them small before 10, and as in the manual since.
        found.setdefault(keyword.lower(), []).append(value)
    return found


@needs_root
def test_nobody_logs_in_by_password_and_only_admins_at_all(root: Path, tmp_path: Path) -> None:
    Path("/run/sshd").mkdir(exist_ok=True)
    found = effective(root, tmp_path, "root")
    assert found["passwordauthentication"] == found["kbdinteractiveauthentication"] == ["no"]
    assert found["permitrootlogin"] == found["x11forwarding"] == ["no"]
    assert found["allowgroups"] == ["conclave-admin"]
    assert found["authenticationmethods"] == ["publickey"]


@needs_root
def test_host_keys_are_the_devices_own(root: Path, tmp_path: Path) -> None:
    Path("/run/sshd").mkdir(exist_ok=True)
    keys = effective(root, tmp_path, "root")["hostkey"]
    assert keys == [
        f"{root}/var/lib/conclave-device/ssh/ssh_host_{kind}_key" for kind in ("ed25519", "ecdsa")
    ]
