"""What the daemon may start, judged by polkit itself with our rule, on a bus of its own."""

import os
import shutil
from pathlib import Path

import pytest

from tests.systemd.device_root import install, run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="polkitd is started as root")
MANAGE = "org.freedesktop.systemd1.manage-units"

# In a namespace of its own, whose accounts and rules are the device's: polkitd, a process of each account,
# and what polkit says of both.
JUDGE = """
set -eu
mount --bind "$1/etc/passwd" /etc/passwd
mount --bind "$1/etc/group" /etc/group
mount --bind "$1/usr/share/polkit-1/rules.d" /usr/share/polkit-1/rules.d
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/dbus
dbus-daemon --system --fork --nopidfile
/usr/lib/polkit-1/polkitd >/dev/null &
gdbus wait --system --timeout 60 org.freedesktop.PolicyKit1
for user in conclave admin; do
    setpriv --reuid=$user --regid=$user --clear-groups sleep 300 &
    process=$!
    # Until it has become that user.
    while [ "$(stat -c %U /proc/$process)" != $user ]; do :; done
    for unit in conclave-reboot conclave-factory-reset conclave-update ssh conclaved; do
        for verb in start stop restart; do
            if pkcheck -p $process -a MANAGE --detail unit $unit.service --detail verb $verb; then
                echo "MAY $user $verb $unit"
            fi
        done
    done
    for action in org.freedesktop.login1.reboot org.freedesktop.systemd1.reload-daemon; do
        if pkcheck -p $process -a $action; then echo "MAY $user $action"; fi
    done
done
""".replace("MANAGE", MANAGE)


def test_the_daemon_starts_three_units_and_nothing_else(tmp_path: Path) -> None:
    install(tmp_path)
    for name in ("passwd", "group"):
        shutil.copy(Path("/etc") / name, tmp_path / "etc" / name)
    run("systemd-sysusers", f"--root={tmp_path}")
    said = run("unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", JUDGE, "sh", tmp_path)
    assert [line for line in said.splitlines() if line.startswith("MAY ")] == [
        "MAY conclave start conclave-reboot",
        "MAY conclave start conclave-factory-reset",
        "MAY conclave start conclave-update",
    ]
