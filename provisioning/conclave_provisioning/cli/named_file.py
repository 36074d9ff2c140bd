"""Parameters whose text may name a file of this machine, beside click's own File and Path.

The restricted shell asks every parameter's type: there an admin gives and takes files by stdin and stdout.
"""

from collections.abc import Callable
from typing import Any

import click

STREAM = "-"


class MayNameFile(click.ParamType[str]):
    """Text that names a file unless `is_other` says that it is something else."""

    name = "file"

    def __init__(self, is_other: Callable[[str], bool] = lambda text: False) -> None:
        self._is_other = is_other

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave the text as it is."""
        return value

    def names_file(self, text: str) -> bool:
        """Whether `text` would be looked for among the files of this machine."""
        return text != STREAM and not self._is_other(text)


def names_file(kind: click.ParamType[Any], text: str) -> bool:
    """Whether `text`, for a parameter of this type, names a file of this machine."""
    if isinstance(kind, MayNameFile):
        return kind.names_file(text)
    return isinstance(kind, click.File | click.Path) and text != STREAM
