"""Invitations at the service: under their hash, bounded, and there again after a restart."""

import hashlib
import os
from pathlib import Path

import pytest

from conclaved.conference import kept_invitations
from conclaved.conference.kept_invitations import KeptInvitations, StateError


def digest(sealed: bytes) -> bytes:
    return hashlib.sha256(sealed).digest()


def files_in(directory: Path) -> int:
    return len(list(directory.iterdir()))


@pytest.fixture(params=["in memory", "in a directory"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return None if request.param == "in memory" else tmp_path / "state"


async def test_what_was_kept_is_found_under_its_hash_and_nothing_else(directory: Path | None) -> None:
    kept = KeptInvitations(directory)
    assert await kept.keep(b"sealed") == digest(b"sealed")
    assert await kept.find(digest(b"sealed")) == b"sealed"
    assert await kept.find(digest(b"other")) is None
    assert len(kept) == 1


async def test_beyond_the_number_the_one_left_longest_ago_goes(directory: Path | None) -> None:
    kept = KeptInvitations(directory, max_invitations=2)
    for sealed in (b"one", b"two", b"one", b"three"):
        await kept.keep(sealed)
    assert await kept.find(digest(b"two")) is None
    assert [await kept.find(digest(sealed)) for sealed in (b"one", b"three")] == [b"one", b"three"]
    assert len(kept) == 2
    assert directory is None or files_in(directory) == 2


async def test_beyond_the_size_the_one_left_longest_ago_goes(directory: Path | None) -> None:
    kept = KeptInvitations(directory, max_bytes=250)
    for n in range(3):
        await kept.keep(bytes([n]) * 100)
    assert await kept.find(digest(bytes(100))) is None
    assert await kept.find(digest(bytes([2]) * 100)) == bytes([2]) * 100
    assert len(kept) == 2


async def test_they_are_there_again_after_a_restart_in_the_order_they_were_left(tmp_path: Path) -> None:
    before = KeptInvitations(tmp_path)
    for n, sealed in enumerate((b"first", b"second", b"third")):
        await before.keep(sealed)
        os.utime(tmp_path / digest(sealed).hex(), (n, n))
    after = KeptInvitations(tmp_path, max_invitations=2)
    assert await after.find(digest(b"first")) is None
    assert await after.find(digest(b"second")) == b"second"
    await after.keep(b"fourth")
    assert await after.find(digest(b"second")) is None
    assert await after.find(digest(b"third")) == b"third"


async def test_a_damaged_file_is_no_invitation_and_goes(tmp_path: Path) -> None:
    kept = KeptInvitations(tmp_path)
    await kept.keep(b"sealed")
    file = tmp_path / digest(b"sealed").hex()
    file.write_bytes(b"sealeD")
    assert await kept.find(digest(b"sealed")) is None
    assert not file.exists()
    assert len(kept) == 0
    await kept.keep(b"sealed")
    assert await kept.find(digest(b"sealed")) == b"sealed"


async def test_what_was_half_written_goes_and_what_is_not_its_own_stays(tmp_path: Path) -> None:
    half = tmp_path / f".{digest(b'sealed').hex()}.abc"
    own = tmp_path / "README"
    for file in (half, own):
        file.write_text("x")
    assert len(KeptInvitations(tmp_path)) == 0
    assert not half.exists()
    assert own.exists()


async def test_a_file_is_for_its_owner_only(tmp_path: Path) -> None:
    await KeptInvitations(tmp_path / "state").keep(b"sealed")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / digest(b"sealed").hex()).stat().st_mode & 0o777 == 0o600


async def test_a_full_disk_refuses_one_and_keeps_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptInvitations(tmp_path, max_invitations=1)
    await kept.keep(b"sealed")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_invitations, "write_atomically", full)
    with pytest.raises(StateError, match="No space left on device"):
        await kept.keep(b"more")
    assert len(kept) == 1
    assert await kept.find(digest(b"sealed")) == b"sealed"


def test_a_directory_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError) as caught:
        KeptInvitations(tmp_path / "file")
    assert str(tmp_path / "file") in str(caught.value)
    assert caught.value.hint == "choose another --state"
