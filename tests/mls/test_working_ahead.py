"""A worker that is handed in does jobs from the back, and decides nothing."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest

from conclaved.mls import AcceptAny, Add, Group, InvalidSignature, RemoteError
from conclaved.mls.working_ahead import FEWEST_JOBS, WorkingAhead
from tests.mls.cast import Person, received


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_jobs_are_done_from_the_back_while_this_thread_goes_on(worker: ThreadPoolExecutor) -> None:
    done: list[int] = []
    has_done_all = Event()

    def job(number: int) -> None:
        done.append(number)
        if number == 0:
            has_done_all.set()

    with WorkingAhead(worker, [lambda number=number: job(number) for number in range(FEWEST_JOBS)]):  # type: ignore[misc]
        assert has_done_all.wait(30)
    assert done == list(reversed(range(FEWEST_JOBS)))


def test_the_worker_is_done_with_the_jobs_when_the_block_has_ended_even_where_that_raises(
    worker: ThreadPoolExecutor,
) -> None:
    done: list[str] = []
    with pytest.raises(RemoteError), WorkingAhead(worker, [lambda: done.append("job")] * FEWEST_JOBS):
        raise RemoteError("no", rule="RFC 9420 §7.3")
    after = len(done)
    worker.submit(lambda: None).result()
    assert len(done) == after


def test_a_job_that_fails_raises_nothing_here_and_ends_the_work(worker: ThreadPoolExecutor) -> None:
    done: list[str] = []
    failed = Event()

    def fail() -> None:
        failed.set()
        raise RemoteError("no", rule="RFC 9420 §7.3")

    with WorkingAhead(worker, [lambda: done.append("early")] * FEWEST_JOBS + [fail]):
        assert failed.wait(30)
    assert done == []


def test_few_jobs_get_no_worker(worker: ThreadPoolExecutor) -> None:
    done: list[str] = []
    with WorkingAhead(worker, [lambda: done.append("job")] * (FEWEST_JOBS - 1)):
        pass
    assert done == []


class BusyWorker:
    """One whose only thread is the one that waits for it."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []

    def submit(self, call: Callable[[], object], /) -> "BusyWorker":
        self.calls.append(call)
        return self

    def result(self) -> None:
        raise AssertionError("this would wait for ever")


def test_a_worker_that_has_not_begun_is_not_waited_for_and_does_nothing_later() -> None:
    worker, done = BusyWorker(), list[str]()
    with WorkingAhead(worker, [lambda: done.append("job")] * FEWEST_JOBS):
        pass
    for call in worker.calls:
        call()
    assert len(worker.calls) == 1
    assert done == []


@pytest.mark.parametrize("is_forged", [False, True])
def test_a_large_group_is_joined_with_a_worker_as_without(
    worker: ThreadPoolExecutor, is_forged: bool
) -> None:
    founder = Person("founder").found()
    people = [Person(f"member {number}") for number in range(FEWEST_JOBS)]
    bundles = [person.bundle() for person in people]
    adds = [Add(received(bundle)) for bundle in bundles]
    if is_forged:
        package = adds[-1].key_package
        adds[-1] = Add(replace(package, signature=adds[0].key_package.signature))
        with pytest.raises(InvalidSignature):
            founder.commit(by_value=adds, worker=worker)
        assert founder.epoch == 0
        return
    pending = founder.commit(by_value=adds, worker=worker)
    assert pending.welcome is not None
    group = Group.join(pending.welcome, bundles[0], people[0].signer, auth=AcceptAny(), worker=worker)
    assert group.epoch_authenticator == pending.merge().epoch_authenticator
