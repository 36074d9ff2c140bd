"""`conclavectl provision`: on the laptop a signer and its files, at the room what is handed over."""

import asyncio
import stat
from pathlib import Path

import pytest

from conclave_provisioning.cli.errors import CommandError
from conclave_provisioning.cli.provisioning_file import make_signer, read_signer, signer_pem
from conclaved.service.provisioning.provisioning_file import read
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import FakeRoom
from tests.cli.conftest import Cli
from tests.service.provisioning.files import altered, file

SETTINGS = b'[policy]\nminimum_level = "locked"\n'


@pytest.fixture
def cli() -> Cli:
    """Needs no room: a laptop has none."""
    return Cli("unix:path=/nowhere")


@pytest.fixture
def signer(tmp_path: Path) -> Path:
    path = tmp_path / "signer.pem"
    path.write_bytes(signer_pem(make_signer("IT"), ""))
    return path


async def test_a_device_reads_what_the_laptop_signed(cli: Cli, tmp_path: Path) -> None:
    signer, out = tmp_path / "signer.pem", tmp_path / "room.jws"
    made = (await cli("provision", "signer", "--out", str(signer), "--json")).json
    signed = (
        await cli(
            "provision", "sign", "-", "--signer", str(signer), "--device", "CN-4711", "--out", str(out),
            "--json", stdin=SETTINGS,
        )
    ).json  # fmt: skip
    assert signed["sets"] == ["policy.minimum_level"]
    found = read(await asyncio.to_thread(lambda: out.read_text().strip()), [made["fingerprint"]])
    assert (found.devices, found.settings) == (("CN-4711",), SETTINGS.decode())


async def test_a_signers_key_is_for_its_owners_eyes(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "signer.pem"
    await cli("provision", "signer", "--out", str(out))
    assert stat.S_IMODE((await asyncio.to_thread(out.stat)).st_mode) == 0o600


async def test_a_signer_is_never_overwritten(cli: Cli, signer: Path) -> None:
    before = await asyncio.to_thread(signer.read_bytes)
    result = await cli("provision", "signer", "--out", str(signer))
    assert result.code == 5
    assert await asyncio.to_thread(signer.read_bytes) == before


async def test_a_file_goes_to_stdout_alone(cli: Cli, signer: Path) -> None:
    result = await cli(
        "provision", "sign", "-", "--signer", str(signer), "--device", "CN-4711", "--out", "-", stdin=SETTINGS
    )
    assert result.code == 0
    assert result.out.count("\n") == 1
    assert "for CN-4711, good for 30 days" in result.err


async def test_what_a_file_would_set_is_shown_without_values(cli: Cli) -> None:
    result = await cli("provision", "show", "-", stdin=file().encode())
    assert result.code == 0
    assert "policy.minimum_level" in result.out
    assert "locked" not in result.out


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_changed_file_is_not_genuine(cli: Cli, part: int) -> None:
    assert (await cli("provision", "show", "-", stdin=altered(file(), part).encode())).code == 9


@pytest.mark.parametrize(
    ("settings", "words"), [(b"x =", "are not TOML"), (b"", "set nothing"), (b"\xff", "is not text")]
)
async def test_settings_that_cannot_be_are_not_signed(
    cli: Cli, signer: Path, settings: bytes, words: str
) -> None:
    result = await cli(
        "provision", "sign", "-", "--signer", str(signer), "--device", "x", "--out", "-", stdin=settings
    )
    assert result.code == 2
    assert words in result.err


async def test_what_is_no_signer_signs_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nothing")
    result = await cli(
        "provision", "sign", "-", "--signer", str(tmp_path / "x.pem"), "--device", "x", "--out", "-",
        stdin=SETTINGS,
    )  # fmt: skip
    assert result.code == 2
    assert "make one: conclavectl provision signer" in result.err


def test_an_encrypted_signer_opens_with_its_passphrase_alone() -> None:
    signer = make_signer("IT")
    pem = signer_pem(signer, "geheim")
    assert read_signer(pem, "geheim").fingerprint == signer.fingerprint
    for wrong in ("", "offen"):
        with pytest.raises(CommandError, match="signer's file"):
            read_signer(pem, wrong)


async def test_a_file_is_handed_to_the_room_as_it_is(room: FakeRoom, bus: PrivateBus) -> None:
    token = file()
    result = await Cli(bus.address)("provision", "apply", "-", stdin=token.encode() + b"\n")
    assert result.code == 0
    assert room.done == [("provision", token)]
