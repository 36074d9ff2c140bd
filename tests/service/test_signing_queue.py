"""Which signature is next."""

from conclaved.meeting.events import Lane, StartJob
from conclaved.service.signing_queue import ORDER, SigningQueue


def job(number: int, lane: Lane) -> StartJob:
    return StartJob(number, lambda: None, lane)


def test_commits_come_first_and_words_about_mutes_last() -> None:
    queue = SigningQueue()
    for number, lane in enumerate(reversed(ORDER)):
        queue.put(job(number, lane))
    taken = []
    while (following := queue.take()) is not None:
        taken.append(following.lane)
        queue.is_done()
    assert taken == [Lane.COMMIT, Lane.VOICE, Lane.OTHER, Lane.WORD]


def test_those_of_one_lane_keep_their_order() -> None:
    queue = SigningQueue()
    for number in range(3):
        queue.put(job(number, Lane.VOICE))
    taken = []
    while (following := queue.take()) is not None:
        taken.append(following.job_id)
        queue.is_done()
    assert taken == [0, 1, 2]


def test_one_is_under_way_at_a_time() -> None:
    queue = SigningQueue()
    queue.put(job(0, Lane.WORD))
    queue.put(job(1, Lane.COMMIT))
    assert queue.take() is not None
    assert queue.take() is None
    queue.is_done()
    assert queue.take() is not None


def test_every_lane_but_that_of_the_group_has_its_place() -> None:
    assert set(ORDER) == set(Lane) - {Lane.GROUP}
