"""A lock that is given in the order in which it was asked for."""

import threading
from collections.abc import Callable

import pytest

from conclaved.identity.key_backends.turns import Turns

DEADLINE_S = 10


def asking(turns: Turns, said: list[str], name: str) -> tuple[threading.Thread, Callable[[], bool]]:
    """A thread that asks for a turn, and whether it has asked."""
    before = turns._given

    def run() -> None:
        with turns:
            said.append(name)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, lambda: turns._given > before


def test_who_has_waited_longest_is_next_though_another_asks_again_at_once() -> None:
    turns, said = Turns(), list[str]()
    threads = []
    with turns:
        for name in ("first", "second", "third"):
            thread, has_asked = asking(turns, said, name)
            threads.append(thread)
            while not has_asked():
                pass
    with turns:
        said.append("again")
    for thread in threads:
        thread.join(DEADLINE_S)
    assert said == ["first", "second", "third", "again"]


def test_an_error_in_a_turn_ends_it() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="of the device"), turns:
        raise ValueError("of the device")
    with turns:
        pass
