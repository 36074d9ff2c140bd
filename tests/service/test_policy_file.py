"""The device's own rules on disk."""

from pathlib import Path

import pytest

from conclaved.meeting import Level, OwnRules
from conclaved.service.config import ConfigError
from conclaved.service.policy_file import PolicyFile


def test_without_a_file_the_default_rules_hold(tmp_path: Path) -> None:
    assert PolicyFile(tmp_path / "policy.json").load() == OwnRules()


@pytest.mark.parametrize("level", Level)
def test_rules_survive_a_restart(tmp_path: Path, level: Level) -> None:
    PolicyFile(tmp_path / "policy.json").save(OwnRules(level))
    assert PolicyFile(tmp_path / "policy.json").load() == OwnRules(level)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"minimum_level": "lax"}', b'{"minimum_level": null}', b"\xff"]
)
def test_a_damaged_file_is_never_taken_for_a_lax_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "policy.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        PolicyFile(path).load()
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content
