"""A rig's counterpart as hands, and the hal.toml of a rig."""

import json
from pathlib import Path

from conclave_hal.device import AnyDevice
from tests.hal.checks.bench import Hands
from tests.hal.checks.check import SkippedError
from tests.hal.rigs import Rig


class RigHands(Hands):
    """Does what the rig can."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    async def do(self, what: str, device: AnyDevice | None = None) -> None:
        """See `Hands`."""
        rig = self._rig
        plug = {"unplug": rig.unplug, "plug_in": rig.plug_in}.get(what)
        if plug is not None:
            await plug()
        elif what in rig.by_hand and device is not None:
            await rig.by_hand[what](device)
        else:
            raise SkippedError(f"the rig cannot {what.replace('_', ' ')}")


def write_hal_toml(folder: Path, rig: Rig) -> Path:
    """A file that names the rig's driver and nothing else."""
    lines = [f"[{rig.slot.value}]", f"driver = {json.dumps(rig.driver)}"]
    lines += [f"{key} = {_toml(value)}" for key, value in rig.options.items()]
    file = folder / "hal.toml"
    file.write_text("\n".join(lines) + "\n")
    return file


def _toml(value: object) -> str:
    # JSON's texts, numbers and lists are TOML's too; tables are not.
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
