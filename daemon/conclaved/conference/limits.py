"""How much of the other side a device or a hub puts up with: counted before any work is done for it."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(eq=False, slots=True)
class Allowance:
    """A token bucket: `burst` at once, `per_s` in the long run."""

    burst: float
    per_s: float
    left: float = 0.0
    at: float = float("-inf")

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Whether so much more is allowed now (monotonic seconds); it is spent then."""
        self.left = min(self.burst, self.left + (now - self.at) * self.per_s)
        self.at = now
        if self.left < amount:
            return False
        self.left -= amount
        return True


@dataclass(eq=False, slots=True)
class Share:
    """How many messages may be carried, and how many bytes of them."""

    messages: Allowance
    size: Allowance

    def take(self, now: float, size_bytes: int) -> bool:
        """Whether a message of that size is allowed now; it is spent then."""
        return self.messages.take(now) and self.size.take(now, size_bytes)


@dataclass(frozen=True, slots=True)
class CarrierLimits:
    """What a device takes from a conference service; lobby and live messages beyond it are dropped unread.

    Entries of the log are not among them: a device that missed many is served all of them at once,
    and takes them one by one.
    """

    lobby_per_s: float = 500.0
    lobby_burst: float = 1000.0
    lobby_bytes: int = 7 * MIB
    """The largest: a Welcome to a thousand members takes some 3 MiB."""
    lobby_bytes_per_s: float = 8.0 * MIB
    live_per_s: float = 500.0
    live_burst: float = 1000.0
    live_bytes: int = 64 * 1024
    live_bytes_per_s: float = 1.0 * MIB
    other_per_s: float = 100.0
    """Answers, and news of the leader: a service that says more is left, and tried again later."""
    other_burst: float = 400.0


@dataclass(frozen=True, slots=True)
class HubLimits:
    """What the hub carries in one meeting; what goes beyond it is dropped.

    A few messages of each client always pass. Only what it sends beyond them is taken from what all share:
    who comes with many connections floods nobody, and keeps nobody from asking or from saying that
    it is alive. What a client says in the lobby is counted apart from the rest: strangers can make it
    say much there, and it must still be heard in the group.
    """

    client_per_s: float = 50.0
    """Of one client in the lobby; and as much of all else that it sends."""
    client_burst: float = 200.0
    own_per_s: float = 4.0
    own_burst: float = 20.0
    own_bytes_per_s: float = 64 * 1024.0
    own_bytes: float = 1.0 * MIB
    """At once, like the others that are no rate."""
    shared_per_s: float = 200.0
    """To be carried to the others; well below what a device takes."""
    shared_burst: float = 500.0
    shared_bytes_per_s: float = 4.0 * MIB
    shared_bytes: float = 16.0 * MIB

    def own(self) -> Share:
        """What one client may say in any case: in the lobby, or live and to the log."""
        return Share(
            Allowance(self.own_burst, self.own_per_s), Allowance(self.own_bytes, self.own_bytes_per_s)
        )

    def shared(self) -> Share:
        """What all clients of a meeting may say together beyond that."""
        return Share(
            Allowance(self.shared_burst, self.shared_per_s),
            Allowance(self.shared_bytes, self.shared_bytes_per_s),
        )
