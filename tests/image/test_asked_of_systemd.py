"""What the daemon asks systemd for, and what systemd asks of the daemon: restart, factory reset, reload."""

from tests.image.carried_in import certify, trust
from tests.image.machine import Machine
from tests.image.test_verified_boot import has_started, starts
from tests.image.told import NOBODY_THERE, RESTARTS, not_ready, problems
from tests.pki import TestAuthority

DOMAIN = "room.example.com"
CONFIG = "/etc/conclave/conclave.toml"
START = (
    "setpriv --reuid conclave --regid conclave --init-groups busctl --timeout=30 call "
    "org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager "
    "{method} ss {unit} replace"
)
"""What the daemon's account asks systemd for."""
HOST_KEY = "cat /var/lib/conclave-device/ssh/*.pub"


async def test_a_reboot_that_an_admin_asks_for(device: Machine) -> None:
    before = starts(device)
    await device.admin.ctl("config", "set", "panel.language", "ja")
    assert (await device.admin.ctl("reboot"))["changed"]
    await _starts_again(device, before)
    status = await device.admin.until_answers()
    assert not_ready(status) == NOBODY_THERE
    (found,) = (await device.admin.ctl("config", "get", "panel.language"))["settings"]
    assert "ja" in found["value"]


async def test_after_a_factory_reset_nothing_is_left_of_whose_room_it_was(device: Machine) -> None:
    admin, authority, before = device.admin, TestAuthority("Tests"), starts(device)
    await trust(admin, authority)
    await certify(admin, DOMAIN, authority)
    machine_id, host_key = await device.root.run("cat /etc/machine-id"), await device.root.run(HOST_KEY)
    await device.root.run("echo secret >/var/log/of-the-room; sync")
    assert (await admin.ctl("factory-reset", "--confirm", DOMAIN))["changed"]
    await _starts_again(device, before)
    status = await admin.until_answers()
    assert not_ready(status) == NOBODY_THERE
    assert (await admin.ctl("identity", "show"))["identity"]["state"] == "none"
    assert [one["label"] for one in (await admin.ctl("trust", "list"))["anchors"]] == []
    assert await device.root.run("cat /etc/machine-id") == machine_id
    assert await device.root.run(HOST_KEY) != host_key
    left = await device.root.try_run(f"grep -rl {DOMAIN} /var; ls /var/log/of-the-room")
    assert left.out == ""
    assert await device.root.run("systemctl list-units --failed --no-legend --plain") == ""


async def test_the_daemons_account_starts_its_units_and_no_other(device: Machine) -> None:
    for method, unit in (
        ("StartUnit", "ssh.service"),
        ("StartUnit", "reboot.target"),
        ("StartUnit", "conclave-firstboot.service"),
        ("StopUnit", "conclave-update.service"),
        ("RestartUnit", "conclave-reboot.service"),
    ):
        refused = await device.root.try_run(START.format(method=method, unit=unit))
        assert refused.code != 0, (method, unit)
        assert "authentication required" in refused.err or "Access denied" in refused.err, refused.err
    # Without a bundle it has nothing to do; that systemd takes the wish is what is asked here.
    allowed = await device.root.try_run(START.format(method="StartUnit", unit="conclave-update.service"))
    assert allowed.code == 0, allowed.err


async def test_a_reload_reads_the_makers_file_and_keeps_the_old_one_if_it_is_wrong(device: Machine) -> None:
    main = await device.root.run("systemctl show -P MainPID conclaved")
    await device.root.run(f"cp {CONFIG} /run/changed && mount --bind /run/changed {CONFIG}")
    await device.root.run("echo 'this is no toml' >>/run/changed; systemctl reload conclaved")
    assert "what was read anew is not in force" in await problems(device.admin)
    await device.root.run(f"umount {CONFIG}; systemctl reload conclaved")
    assert "not in force" not in await problems(device.admin)
    assert await device.root.run("systemctl show -P MainPID conclaved") == main
    assert await device.root.run(RESTARTS) == "0\n"


async def _starts_again(device: Machine, before: int) -> None:
    await has_started(device, before + 1)
    await device.until_ready()
