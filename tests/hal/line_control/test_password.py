"""The password of a control port."""

import io
from pathlib import Path

import pytest

from conclave_hal.config import load
from conclave_hal.errors import ConfigurationError
from conclave_hal.line_control.guard import FIRST_WAIT_S, FREE_TRIES, LONGEST_WAIT_S, LoginGuard
from conclave_hal.line_control.password import PasswordHash, hash_password, main, password_hash

SECRET = "correct horse 7"


def test_a_hash_knows_its_password_and_no_other() -> None:
    made = hash_password(SECRET)
    assert made.matches(SECRET)
    assert not made.matches(SECRET + " ")


def test_a_hash_is_the_same_after_a_way_through_the_file() -> None:
    made = hash_password(SECRET)
    assert password_hash().parse(str(made), Path()) == made


def test_scrypt_is_the_one_of_the_rfc() -> None:
    # RFC 7914 §12, second vector, cut to 32 bytes.
    expected = bytes.fromhex("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162")
    assert PasswordHash(1024, 8, 16, b"NaCl", expected).matches("password")


def test_two_hashes_of_one_password_differ() -> None:
    assert str(hash_password(SECRET)) != str(hash_password(SECRET))


@pytest.mark.parametrize("password", ["short", "x" * 129, " leading space", "päßword-long", "tab\tin it..."])
def test_a_password_that_cannot_be_sent_or_is_too_short_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="a password has"):
        hash_password(password)


@pytest.mark.parametrize(
    "value",
    [
        "plain text",
        7,
        "scrypt:3:8:1:" + "A" * 24 + ":" + "A" * 44,
        "scrypt:65536:8:1:" + "A" * 24 + ":" + "A" * 44,
    ],
)
def test_what_is_no_hash_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="hash"):
        password_hash().parse(value, Path())


def test_a_password_in_the_file_in_place_of_its_hash_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "hal.toml"
    file.write_text(f'[codec_control]\ndriver = "line"\nport = "/dev/ttyS0"\npassword = "{SECRET}"\n')
    with pytest.raises(ConfigurationError, match="password: must be a hash") as caught:
        load(file)
    assert SECRET not in str(caught.value)


def test_without_a_password_the_port_is_refused_unless_login_is_off(tmp_path: Path) -> None:
    file = tmp_path / "hal.toml"
    file.write_text('[codec_control]\ndriver = "line"\nport = "/dev/ttyS0"\n')
    with pytest.raises(ConfigurationError, match="password: is required, unless login = false"):
        load(file)
    file.write_text('[codec_control]\ndriver = "line"\nport = "/dev/ttyS0"\nlogin = false\n')
    assert load(file).codec_control.driver == "line"


def test_the_program_prints_the_line_for_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(io.StringIO(SECRET + "\n")) == 0
    key, _, value = capsys.readouterr().out.partition(" = ")
    assert key == "password"
    made = password_hash().parse(value.strip().strip('"'), Path())
    assert made is not None
    assert made.matches(SECRET)


def test_the_program_says_what_a_password_must_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(io.StringIO("short\n")) == 1
    assert "8 to 128" in capsys.readouterr().err


def test_a_hash_does_not_show_itself() -> None:
    made = hash_password(SECRET)
    assert made.digest.hex() not in repr(made)
    assert repr(made.digest) not in repr(made)


def test_each_wrong_password_after_the_third_costs_twice_the_wait() -> None:
    guard = LoginGuard()
    for _ in range(FREE_TRIES):
        assert guard.wait_s(0.0) == 0
        guard.tried(0.0, is_right=False)
    assert guard.wait_s(0.0) == FIRST_WAIT_S
    guard.tried(10.0, is_right=False)
    assert guard.wait_s(10.0) == 2 * FIRST_WAIT_S
    for _ in range(100):
        guard.tried(20.0, is_right=False)
    assert guard.wait_s(20.0) == LONGEST_WAIT_S
    assert guard.refused == FREE_TRIES + 101


def test_the_right_password_makes_the_tries_free_again() -> None:
    guard = LoginGuard()
    guard.tried(0.0, is_right=False)
    guard.tried(0.0, is_right=True)
    guard.tried(0.0, is_right=False)
    assert guard.wait_s(0.0) == 0
