"""Retry-After in both of its spellings."""

from datetime import UTC, datetime

import pytest

from conclave_provisioning.enrollment.retry_after import MAX_RETRY_AFTER_S, parse_retry_after

NOW = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        (" 0 ", 0.0),
        ("999999999", MAX_RETRY_AFTER_S),
        ("Thu, 01 Oct 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Oct 2026 14:00:30 +0200", 30.0),
        ("Thu, 01 Oct 2026 12:00:30 -0000", 30.0),
        ("Thu, 01 Oct 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Oct 2099 11:00:00 GMT", MAX_RETRY_AFTER_S),
        ("-3", None),
        ("3.5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
        ("Thu, 99 Oct 2026 12:00:30 GMT", None),
        ("٣", None),
    ],
)
def test_it_is_read_as_seconds_from_now(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW) == seconds
