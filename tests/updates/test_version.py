"""Which version is older."""

import pytest

from conclaved.updates.version import Version, VersionError


@pytest.mark.parametrize(
    ("older", "newer"),
    [("1.2.0", "1.2.1"), ("1.9.0", "1.10.0"), ("0.9", "1"), ("1.2", "1.2.0.1"), ("1.2.0+zz", "1.3.0+aa")],
)
def test_numbers_are_compared_as_numbers(older: str, newer: str) -> None:
    assert Version.parse(older) < Version.parse(newer)


@pytest.mark.parametrize("other", ["1.2", "1.2.0", "1.2.0+another.build", "01.2"])
def test_builds_of_a_version_are_as_old_as_each_other(other: str) -> None:
    assert Version.parse(other) == Version.parse("1.2.0+a")


@pytest.mark.parametrize(
    "text", ["", "v1.2", "1..2", "1.2.0-rc1", "1.2.0+", "1.2.3.4.5", "1.2\n", "９.1", "1" * 10]
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(VersionError):
        Version.parse(text)
