"""The device's own rules on disk."""

from pathlib import Path

import pytest

from conclaved.meeting import Level, OwnRules
from conclaved.service.config import ConfigError
from conclaved.service.policy_file import PolicyFile


def test_without_a_file_the_default_rules_hold(tmp_path: Path) -> None:
    assert PolicyFile(tmp_path / "policy.json").load() == OwnRules()


@pytest.mark.parametrize(
    "rules",
    [
        OwnRules(Level.LOCKED),
        OwnRules(requires_verified=True),
        OwnRules(allows_service_ends=False),
        OwnRules(Level.LOCKED, requires_verified=True, allows_service_ends=False),
    ],
)
def test_rules_survive_a_restart(tmp_path: Path, rules: OwnRules) -> None:
    PolicyFile(tmp_path / "policy.json").save(rules)
    assert PolicyFile(tmp_path / "policy.json").load() == rules


def test_a_file_of_before_a_rule_was_there_does_not_ask_for_it(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text('{"version": 1, "minimum_level": "locked"}')
    assert PolicyFile(tmp_path / "policy.json").load() == OwnRules(Level.LOCKED)


DAMAGED = [
    b"",
    b"{",
    b"[]",
    b"{}",
    b'{"minimum_level": "lax"}',
    b'{"minimum_level": null}',
    b'{"minimum_level": "locked", "requires_verified": 0}',
    b'{"minimum_level": "locked", "allows_service_ends": "no"}',
    b"\xff",
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_never_taken_for_a_lax_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "policy.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        PolicyFile(path).load()
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content
