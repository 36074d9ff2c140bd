"""Each fault has a word of its own, which programs and the manual rely on."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conclave_provisioning.enrollment.errors import (
    EnrollmentError,
    LocalEnrollmentError,
    RateLimitedError,
    RefusedError,
    RemoteEnrollmentError,
    ValidationFailedError,
    printable,
)

MANUAL = Path(__file__).parents[2] / "docs" / "enrollment.md"


def classes(root: type[EnrollmentError] = EnrollmentError) -> Iterator[type[EnrollmentError]]:
    yield root
    for each in root.__subclasses__():
        yield from classes(each)


def test_no_two_faults_share_a_word() -> None:
    kinds = [each.kind for each in classes() if each not in (LocalEnrollmentError, RemoteEnrollmentError)]
    assert sorted(kinds) == sorted(set(kinds))


def test_the_manual_explains_every_word_and_no_other() -> None:
    explained = re.findall(r"^\| `([a-z_]+)` \|", MANUAL.read_text(), re.MULTILINE)
    assert sorted(explained) == sorted({each.kind for each in classes()})


@pytest.mark.parametrize(
    "problem", ["caa", "connection", "dns", "rejectedIdentifier", "badCSR", "invalidProfile"]
)
def test_what_a_ca_commonly_refuses_has_advice(problem: str) -> None:
    assert RefusedError("the order", problem, "no").hint


def test_the_cas_words_are_one_bounded_line() -> None:
    error = ValidationFailedError("the domain", "dns", "a\x1b[31m\nb" + "x" * 9999)
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)
    assert len(printable("x" * 9999)) < 600


def test_a_limit_without_a_time_asks_for_patience() -> None:
    assert RateLimitedError("the order", "slow down", None).hint == "wait some hours, then enroll again"
