"""One measured figure, in the form in which every stack prints it: a JSON object a line."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

OPERATIONS = (
    "bulk_add",
    "join",
    "flat_update_create",
    "flat_update_process",
    "warm_update_create",
    "warm_update_process",
    "warm_add_create",
    "warm_add_process",
    "warm_remove_create",
    "warm_remove_process",
    "app_encrypt_1k",
    "app_decrypt_1k",
)
MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Figure:
    """What an operation took in one stack; `floor_ms` is 0 where nobody has counted it."""

    operation: str
    median_ms: float
    min_ms: float
    size_bytes: int
    floor_ms: float = 0.0

    @classmethod
    def of(cls, operation: str, seconds: Sequence[float], size_bytes: int, floor_s: float = 0.0) -> "Figure":
        """From single times in seconds."""
        median, least = statistics.median(seconds), min(seconds)
        return cls(operation, median * 1e3, least * 1e3, size_bytes, floor_s * 1e3)

    @classmethod
    def parse(cls, line: str) -> "Figure":
        """From a peer's line; ValueError or KeyError if it is none."""
        fields = json.loads(line)
        times = (float(fields.get("median_ms", 0)), float(fields.get("min_ms", 0)))
        return cls(str(fields["operation"]), *times, int(fields["bytes"]))
