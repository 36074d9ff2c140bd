"""The device's own rules on disk: one small JSON file, written atomically."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conclaved.identity.atomic_file import write_atomically
from conclaved.meeting import Level, OwnRules
from conclaved.service.config import ConfigError


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """Where the rules lie."""

    path: Path

    def load(self) -> OwnRules:
        """The stored rules, or the default ones. Raises ConfigError.

        A file that cannot be understood is never taken for a lax one.
        """
        try:
            content = json.loads(self.path.read_bytes())
            return OwnRules(
                Level(content["minimum_level"]),
                # Rules that a file of an earlier version does not have were not asked for.
                requires_verified=_flag(content, "requires_verified", False),
                allows_service_ends=_flag(content, "allows_service_ends", True),
            )
        except FileNotFoundError:
            return OwnRules()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{self.path}: is not a policy; set it anew or remove the file") from error

    def save(self, rules: OwnRules) -> None:
        """Store the rules. Raises OSError."""
        content = {
            "version": 1,
            "minimum_level": rules.minimum_level.value,
            "requires_verified": rules.requires_verified,
            "allows_service_ends": rules.allows_service_ends,
        }
        write_atomically(self.path, json.dumps(content).encode() + b"\n", mode=0o600)


def _flag(content: dict[str, Any], name: str, default: bool) -> bool:
    value = content.get(name, default)
    if not isinstance(value, bool):
        raise TypeError(f"{name} is neither true nor false")
    return value
