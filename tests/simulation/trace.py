"""What happened in a schedule, in words, for people who look for the cause."""

from dataclasses import dataclass, field


@dataclass
class Trace:
    """Lines of what was done and seen. Costs nothing while it is off."""

    is_on: bool = False
    lines: list[str] = field(default_factory=list)

    def say(self, now: float, who: str, what: str) -> None:
        """One line. `now` is simulated seconds since the beginning."""
        if self.is_on:
            self.lines.append(f"{now:9.3f}  {who:22} {what}")

    def text(self, last: int = 0) -> str:
        """All lines, or the last so many."""
        return "\n".join(self.lines[-last:] if last else self.lines)
