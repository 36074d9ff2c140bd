"""What a stranger on the same network finds at a device: one door, and it is shut to strangers."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.image import wire
from tests.image.machine import Machine
from tests.shell.sshd import make_key, run_program

pytestmark = pytest.mark.asyncio(loop_scope="module")

SSH = 22
DHCP_CLIENTS = {68, 546}
"""Where a lease is renewed (RFC 2131 §4.1, RFC 8415 §7.2)."""
EVERY_ADDRESS = {"0.0.0.0", "[::]", "*"}  # noqa: S104
SETTLED = f"""
until grep -qs {wire.CARD} /sys/class/net/*/address; do sleep 0.2; done
# udev gives it another name than the kernel did.
udevadm settle
card=$(basename $(dirname $(grep -l {wire.CARD} /sys/class/net/*/address)))
ip address add {wire.DEVICE}/24 dev $card
ip link set $card up
sysctl -q -w net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
sysctl -q -w net.ipv4.icmp_msgs_per_sec=1000000 net.ipv4.icmp_msgs_burst=100000
until ip -6 -o address show dev $card scope link | grep -qv tentative; do sleep 0.2; done
ip -6 -j address show dev $card scope link
"""
"""The second card gets an address; nothing that listens is changed. ICMP with its limit would take a day."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits for strangers, as the device itself lists it."""

    kind: str
    address: str
    card: str
    port: int

    @property
    def is_loopback(self) -> bool:
        return self.address.startswith(("127.", "[::1]")) or self.card == "lo"


async def listeners(machine: Machine) -> set[Listener]:
    """What `ss` lists."""
    found = set()
    for line in (await machine.root.run("ss -H -l -n -t -u")).splitlines():
        kind, _, _, _, local, *_ = line.split()
        where, _, port = local.rpartition(":")
        address, _, card = where.partition("%")
        found.add(Listener(kind, address, card, int(port)))
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wired(shared_device: Machine) -> AsyncIterator[tuple[Machine, str, str]]:
    """The device with a second card, at whose other end we are; its addresses there."""
    async with wire.wire(shared_device):
        told = json.loads(await shared_device.root.run(SETTLED, timeout_s=120))
        link_local = next(entry["local"] for card in told for entry in card["addr_info"])
        yield shared_device, wire.DEVICE, f"{link_local}%{wire.TAP}"


async def test_of_all_tcp_ports_ssh_alone_is_open(wired: tuple[Machine, str, str]) -> None:
    _, address, _ = wired
    assert await wire.open_tcp(address) == {SSH}


async def test_of_all_tcp_ports_ssh_alone_is_open_over_ipv6(wired: tuple[Machine, str, str]) -> None:
    _, _, address = wired
    assert await wire.open_tcp(address) == {SSH}


async def test_no_udp_port_is_open(wired: tuple[Machine, str, str]) -> None:
    _, address, _ = wired
    assert await wire.open_udp(address) == set()


async def test_no_udp_port_is_open_over_ipv6(wired: tuple[Machine, str, str]) -> None:
    _, _, address = wired
    assert await wire.open_udp(address) - DHCP_CLIENTS == set()


async def test_the_devices_own_list_says_the_same(shared_device: Machine) -> None:
    outside = {listener for listener in await listeners(shared_device) if not listener.is_loopback}
    tcp = {(one.address, one.port) for one in outside if one.kind == "tcp"}
    # One socket each for IPv4 and IPv6, or one for both, which ss writes as *.
    assert tcp in ({("0.0.0.0", SSH), ("[::]", SSH)}, {("0.0.0.0", SSH), ("*", SSH)})  # noqa: S104
    # Each is bound to the card that has a lease, or to the address of that: a scan of another card does
    # not find it.
    udp = [one for one in outside if one.kind == "udp"]
    assert {one.port for one in udp} <= DHCP_CLIENTS
    assert [one for one in udp if not one.card and one.address in EVERY_ADDRESS] == []


async def test_it_is_sshd_that_listens(shared_device: Machine) -> None:
    who = await shared_device.root.run(f"ss -H -l -n -t -p sport = :{SSH}")
    assert set(re.findall(r'users:\(\("([^"]+)"', who)) == {"sshd"}


@pytest.mark.parametrize("user", ["admin", "root", "conclave", "nobody"])
async def test_a_key_is_the_only_way_in(shared_device: Machine, user: str) -> None:
    code, _, err = await ssh(shared_device, user, options=("-o", "PreferredAuthentications=none"))
    assert code == 255
    assert "Permission denied (publickey)." in err


@pytest.mark.parametrize("user", ["root", "conclave", "nobody", "daemon", "_apt"])
async def test_the_admins_key_opens_no_other_account(shared_device: Machine, user: str) -> None:
    code, out, err = await ssh(shared_device, user)
    assert (code, out) == (255, "")
    assert "Permission denied (publickey)." in err


async def test_a_strangers_key_opens_nothing(shared_device: Machine, tmp_path: Path) -> None:
    code, out, err = await ssh(shared_device, "admin", key=await make_key(tmp_path / "stranger"))
    assert (code, out) == (255, "")
    assert "Permission denied (publickey)." in err


async def ssh(
    machine: Machine, user: str, *words: str, options: tuple[str, ...] = (), key: Path | None = None
) -> tuple[int, str, str]:
    """OpenSSH's client, to an account of the device."""
    arguments = [*machine.admin.arguments(key), "-p", str(machine.ssh_port), *options]
    return await run_program("ssh", *arguments, f"{user}@127.0.0.1", *(words or ("status",)))
