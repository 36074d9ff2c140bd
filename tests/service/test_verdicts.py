"""Verdicts that are remembered: of whom, for how long, and how many."""

import pytest

from conclaved.identity import Assurance, Verdict
from conclaved.service import verdicts
from conclaved.service.verdicts import LIFETIME_S, Verdicts

KEY = b"k" * 65
NOT_AFTER = 2000


class Bench:
    """A judge that counts, a clock that a test sets, and the memory between."""

    def __init__(self) -> None:
        self.judged: list[tuple[tuple[bytes, ...], bytes]] = []
        self.now = 0.0
        self.wall: int | None = 1000
        self.ask = Verdicts(self._judge, clock=lambda: self.now, wall=lambda: self.wall)

    def _judge(self, chain: tuple[bytes, ...], key: bytes) -> Verdict:
        self.judged.append((chain, key))
        return Verdict(Assurance.VERIFIED, None, f"{len(self.judged)}.example.com", "", "anchor", NOT_AFTER)


def test_a_chain_is_judged_once_a_minute() -> None:
    bench = Bench()
    first = bench.ask((b"leaf", b"root"), KEY)
    assert bench.ask((b"leaf", b"root"), KEY) is first
    bench.now = LIFETIME_S
    assert bench.ask((b"leaf", b"root"), KEY) is not first


@pytest.mark.parametrize(
    ("chain", "key"),
    [
        ((b"leafroot",), KEY),
        ((b"lea", b"froot"), KEY),
        ((b"root", b"leaf"), KEY),
        ((), KEY),
        ((b"leaf", b"root"), b"another"),
        ((b"root",), KEY + b"leaf"),
    ],
)
def test_another_chain_or_key_is_judged_for_itself(chain: tuple[bytes, ...], key: bytes) -> None:
    bench = Bench()
    bench.ask((b"leaf", b"root"), KEY)
    bench.ask(chain, key)
    assert bench.judged[1:] == [(chain, key)]


def test_a_verdict_does_not_outlive_its_certificate() -> None:
    bench = Bench()
    bench.wall = NOT_AFTER
    first = bench.ask((b"leaf",), KEY)
    assert bench.ask((b"leaf",), KEY) is first
    bench.wall = NOT_AFTER + 1
    assert bench.ask((b"leaf",), KEY) is not first


@pytest.mark.parametrize(("before", "after"), [(1000, None), (None, 1000)])
def test_when_the_clock_begins_or_ceases_to_be_believed_everybody_is_judged_anew(
    before: int | None, after: int | None
) -> None:
    bench = Bench()
    bench.wall = before
    first = bench.ask((b"leaf",), KEY)
    bench.wall = after
    assert bench.ask((b"leaf",), KEY) is not first


def test_when_trust_has_changed_everybody_is_judged_anew() -> None:
    bench = Bench()
    bench.ask((b"leaf",), KEY)
    bench.ask.forget()
    bench.ask((b"leaf",), KEY)
    assert len(bench.judged) == 2


def test_no_more_are_remembered_than_the_limit_and_no_chain_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "MAX_VERDICTS", 3)
    bench = Bench()
    for i in range(9):
        bench.ask((bytes([i]) * 100_000,), KEY)
    assert len(bench.ask) == 3
    assert all(len(key) == 32 for key in bench.ask._known)
    bench.ask((bytes([8]) * 100_000,), KEY)
    assert len(bench.judged) == 9
