"""The way between a client and the service: latency always, and delay, loss, copies and disorder at times."""

from dataclasses import dataclass, field
from random import Random


@dataclass
class Weather:
    """What a network fault does to messages, as long as it lasts."""

    delay_s: float = 0.0
    """Up to so much longer, for some messages."""
    loss: float = 0.0
    copies: float = 0.0
    disorder_s: float = 0.0
    """Messages overtake each other within this time."""
    is_cut: bool = False
    """Nothing comes through, and nobody is told."""


@dataclass
class Path:
    """One client's way to the service and back."""

    rng: Random
    latency_s: float
    weather: list[Weather] = field(default_factory=list)
    worst_s: float = 0.0
    """The longest that anything was under way."""
    bites: dict[str, int] = field(default_factory=dict)
    """How often each fault did something to a message."""
    _last: dict[bool, float] = field(default_factory=dict)

    def arrivals(self, now: float, *, is_up: bool, is_safe: bool) -> list[float]:
        """When a message that is sent now arrives, once for each copy; `is_safe` ones are never lost.

        In order, unless the weather brings disorder.
        """
        if not self.weather:
            return [self._in_order(now + self.latency_s, now, is_up)]
        times = [self.latency_s]
        is_disordered = False
        for each in self.weather:
            if each.is_cut and not is_safe:
                self._bite("partition")
                return []
            if each.loss and not is_safe and self.rng.random() < each.loss:
                self._bite("loss")
                return []
            if each.delay_s and self.rng.random() < 0.4:
                self._bite("delay")
                times[0] += self.rng.uniform(0, each.delay_s)
            if each.copies and not is_safe and self.rng.random() < each.copies:
                self._bite("duplication")
                times.append(times[0] + self.rng.uniform(0, 1.0))
            if each.disorder_s and not is_safe and self.rng.random() < 0.5:
                self._bite("reorder")
                is_disordered = True
                times[0] += self.rng.uniform(0, each.disorder_s)
        if is_disordered:
            self.worst_s = max(self.worst_s, *times)
            return [now + time for time in times]
        first = self._in_order(now + times[0], now, is_up)
        return [first, *(max(first, now + time) for time in times[1:])]

    def _in_order(self, arrival: float, now: float, is_up: bool) -> float:
        arrival = max(arrival, self._last.get(is_up, 0.0))
        self._last[is_up] = arrival
        if arrival - now > self.worst_s:
            self.worst_s = arrival - now
        return arrival

    def _bite(self, fault: str) -> None:
        self.bites[fault] = self.bites.get(fault, 0) + 1
