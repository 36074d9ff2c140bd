"""A room's key moves into its TPM and on to a token, by the configuration and the command line alone."""

from pathlib import Path
from typing import Any

import pytest

from tests.demo.stage import RoomProcess, Stage, _answers, _stop, until
from tests.e2e.rooms import ATRIUM, BERLIN, enrolled, log_of, shown, until_with
from tests.soft_hsm import MODULE, PIN, new_token
from tests.swtpm import Swtpm

pytestmark = pytest.mark.e2e


async def restarted(it: Stage, room: RoomProcess, keys: str) -> None:
    """The daemon again, with this `[keys]` table."""
    assert room.process is not None
    await _stop(room.process)
    path = room.folder / "conclave.toml"
    path.write_text(path.read_text().partition("\n[keys]")[0] + f"\n[keys]\n{keys}")
    await it.start_daemon(room)
    await until(lambda: _answers(room), f"{room.name} to answer again", show=lambda: room.last_error)


async def enrolled_again(room: RoomProcess) -> dict[str, Any]:
    """Enroll the name that it has; the identity then."""
    await room.ctl("identity", "enroll", room.name)
    identity: dict[str, Any] = (await room.ctl("identity", "show"))["identity"]
    return identity


def open_to_others(room: RoomProcess) -> list[bytes]:
    """What of the daemon others than its own user may come to see."""
    assert room.process is not None
    process = Path(f"/proc/{room.process.pid}")
    return [(process / "cmdline").read_bytes(), (process / "environ").read_bytes(), log_of(room).encode()]


async def test_a_key_moves_to_the_tpm_and_to_a_token_and_the_room_meets_with_it(
    it: Stage, tmp_path: Path
) -> None:
    room = await enrolled(it, ATRIUM)
    first = (await room.ctl("identity", "show"))["identity"]
    assert first["key_protection"] == "sealed"
    token = new_token(tmp_path / "token")
    with Swtpm(tmp_path / "tpm") as tpm:
        in_tpm = f'backend = "tpm2"\ntcti = "{tpm.tcti}"\n'
        await restarted(it, room, in_tpm)
        before = (await room.ctl("identity", "show"))["identity"]
        assert (before["fingerprint"], before["key_protection"]) == (first["fingerprint"], "sealed")
        problems = (await room.ctl("status"))["problems"]
        assert any("another place" in problem["text"] for problem in problems)
        second = await enrolled_again(room)
        assert second["key_protection"] == "tpm2"
        assert second["fingerprint"] != first["fingerprint"]

        in_token = f'module = "{MODULE}"\ntoken = "{token.label}"\npin_file = "{token.pin_file}"\n'
        await restarted(it, room, in_token + f'backend = "pkcs11"\ntcti = "{tpm.tcti}"\n')
        assert (await enrolled_again(room))["key_protection"] == "pkcs11"

    await restarted(it, room, in_token + 'backend = "pkcs11"\n')
    berlin = await enrolled(it, BERLIN)
    created = await room.ctl(
        "meeting", "create", "--title", "Weekly", "--invite", berlin.name, "--conference", it.hub_url
    )
    for each in (room, berlin):
        await each.ctl("meeting", "join", created["link"], "--wait-admitted")
    names = {room.name: "verified", berlin.name: "verified"}
    for each in (room, berlin):
        assert shown(await until_with(each, 2)) == names

    assert not any(PIN.encode() in text for text in open_to_others(room))
