"""The demo's look at what the relay saw: it finds what is there, and is not content with anything."""

import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.demo import story
from tests.demo.stage import StageError


async def looks_at(folder: Path, *messages: bytes) -> None:
    """Let the demo look through these messages, and a thousand of noise."""
    capture = folder / "capture"
    everything = [*messages, *(b"noise",) * 1000]
    capture.write_bytes(b"".join(struct.pack(">I", len(each)) + each for each in everything))
    await story.relay_saw(SimpleNamespace(capture=capture), ["room.example.com"], lambda line: None)  # type: ignore[arg-type]


async def test_a_relay_that_saw_noise_has_seen_nothing(tmp_path: Path) -> None:
    await looks_at(tmp_path)


async def test_a_relay_that_saw_any_keyframe_is_found_out(tmp_path: Path) -> None:
    first, later = await story._two_keyframes()
    with pytest.raises(StageError, match=r"'a first frame', 'a keyframe'"):
        await looks_at(tmp_path, first)
    with pytest.raises(StageError, match="'a keyframe'"):
        await looks_at(tmp_path, later)


async def test_cameras_whose_frames_hold_no_needle_prove_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "ENCODER", b"another encoder")
    with pytest.raises(StageError, match="do not hold what they are looked for by"):
        await looks_at(tmp_path)
