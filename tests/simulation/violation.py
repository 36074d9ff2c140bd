"""What ends a schedule: something that must always hold does not."""


class Violation(Exception):  # noqa: N818 -- it is not an error of anybody's code here, it is the find
    """An invariant was broken."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        self.what = what
