"""A second thread does jobs from the back, and decides nothing."""

from threading import Event, active_count

import pytest

from conclaved.mls import RemoteError
from conclaved.mls.working_ahead import FEWEST_JOBS, WorkingAhead


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def test_jobs_are_done_from_the_back_while_this_thread_goes_on() -> None:
    done: list[int] = []
    has_done_all = Event()

    def job(number: int) -> None:
        done.append(number)
        if number == 0:
            has_done_all.set()

    with WorkingAhead([lambda number=number: job(number) for number in range(FEWEST_JOBS)]):  # type: ignore[misc]
        assert has_done_all.wait(30)
    assert done == list(reversed(range(FEWEST_JOBS)))


def test_the_thread_has_ended_with_the_block_even_where_that_raises() -> None:
    before = active_count()
    with pytest.raises(RemoteError), WorkingAhead([lambda: None] * FEWEST_JOBS):
        raise RemoteError("no", rule="RFC 9420 §7.3")
    assert active_count() == before


def test_a_job_that_fails_raises_nothing_here_and_ends_the_work() -> None:
    done: list[str] = []
    failed = Event()

    def fail() -> None:
        failed.set()
        raise RemoteError("no", rule="RFC 9420 §7.3")

    with WorkingAhead([lambda: done.append("early")] * FEWEST_JOBS + [fail]):
        assert failed.wait(30)
    assert done == []


def test_few_jobs_get_no_thread() -> None:
    done: list[str] = []
    with WorkingAhead([lambda: done.append("job")] * (FEWEST_JOBS - 1)):
        pass
    assert done == []
