"""Token buckets."""

from conclaved.meeting.limits import MAX_BUCKETS, Bucket, Buckets


def taken(bucket: Bucket, now: float, times: int = 1000) -> int:
    return sum(bucket.take(now) for _ in range(times))


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = Bucket(20)
    assert taken(bucket, 5.0) == 40
    assert taken(bucket, 5.0) == 0
    assert taken(bucket, 6.0) == 20
    assert taken(bucket, 100.0) == 40


def test_a_slow_bucket_gives_one_at_a_time() -> None:
    bucket = Bucket(0.25, 6)
    assert taken(bucket, 0.0) == 6
    assert taken(bucket, 3.9) == 0
    assert taken(bucket, 4.0) == 1


def test_a_clock_that_steps_back_fills_nothing() -> None:
    bucket = Bucket(1, 2)
    assert taken(bucket, 10.0) == 2
    assert taken(bucket, 5.0) == 0
    assert taken(bucket, 10.5) == 0
    assert taken(bucket, 11.0) == 1


def test_to_look_takes_nothing() -> None:
    bucket = Bucket(1, 1)
    assert not bucket.is_empty(0.0)
    assert bucket.take(0.0)
    assert bucket.is_empty(0.0)
    assert not bucket.is_empty(1.0)
    assert bucket.take(1.0)


def test_keys_have_buckets_of_their_own() -> None:
    buckets: Buckets[str] = Buckets(1, 1)
    assert not buckets.is_empty("a", 0.0)
    assert buckets.take("a", 0.0)
    assert buckets.is_empty("a", 0.0)
    assert not buckets.take("a", 0.0)
    assert buckets.take("b", 0.0)


def test_keys_are_bounded_and_the_least_used_goes_first() -> None:
    buckets: Buckets[int] = Buckets(0.001, 1)
    for key in range(MAX_BUCKETS):
        buckets.take(key, 0.0)
    buckets.take(0, 0.0)
    buckets.take(MAX_BUCKETS, 0.0)
    assert repr(buckets) == f"Buckets({MAX_BUCKETS})"
    assert buckets.is_empty(0, 0.0)
    assert not buckets.is_empty(1, 0.0)
