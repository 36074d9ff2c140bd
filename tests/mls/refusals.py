"""What a refusal tells: the rule that was broken, and the functions that noticed."""

from collections.abc import Callable
from dataclasses import dataclass
from traceback import walk_tb

from conclaved.mls import RemoteError

_PACKAGE = "conclaved.mls."


@dataclass(frozen=True)
class Refusal:
    """`sites` are the functions that the error passed through, as `module.function` below conclaved.mls."""

    rule: str
    sites: frozenset[str]


def refusal(attempt: Callable[[], object]) -> Refusal:
    """How an attempt is refused; AssertionError if it is not, or by another error than a peer's."""
    try:
        attempt()
    except RemoteError as error:
        frames = [frame for frame, _ in walk_tb(error.__traceback__)]
        names = [(frame.f_globals["__name__"], frame.f_code.co_qualname) for frame in frames]
        sites = {f"{module[len(_PACKAGE) :]}.{name}" for module, name in names if module.startswith(_PACKAGE)}
        return Refusal(error.rule, frozenset(sites))
    raise AssertionError("it is not refused")
