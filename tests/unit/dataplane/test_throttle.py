from headgate.dataplane.throttle import Bucket, Buckets, RateLimit, rate_limit
from headgate.model.stage import MethodSetting

_LIMIT = RateLimit(rate=2.0, burst=3)
_KEY = ("api", "prod", "/pets", "GET")


def test_a_full_bucket_gives_its_burst_and_no_more() -> None:
    bucket = Bucket(3, at=0.0)

    taken = [bucket.take(_LIMIT, now=0.0) for _ in range(4)]

    assert taken == [True, True, True, False]


def test_a_refused_call_leaves_the_bucket_as_it_was() -> None:
    bucket = Bucket(0.5, at=1.0)

    assert not bucket.take(_LIMIT, now=1.2)

    assert (bucket.tokens, bucket.at) == (0.5, 1.0)


def test_tokens_come_back_at_the_rate_and_stop_at_the_burst() -> None:
    bucket = Bucket(0, at=0.0)

    assert not bucket.take(_LIMIT, now=0.49)
    assert bucket.take(_LIMIT, now=0.5)
    assert [bucket.take(_LIMIT, now=1000.0) for _ in range(4)] == [True, True, True, False]


def test_a_bucket_outlives_a_change_of_its_limit() -> None:
    buckets = Buckets()
    bucket = buckets.of(_KEY, _LIMIT)
    for _ in range(3):
        bucket.take(_LIMIT, now=0.0)

    again = buckets.of(_KEY, RateLimit(rate=1.0, burst=100))

    assert again is bucket
    assert not again.take(_LIMIT, now=0.0)


def test_the_buckets_of_a_deleted_stage_are_dropped() -> None:
    buckets = Buckets()
    bucket = buckets.of(_KEY, _LIMIT)

    buckets.drop_stage("api", "prod")

    assert buckets.of(_KEY, _LIMIT) is not bucket


def test_minus_one_is_no_limit_and_zero_refuses_all() -> None:
    assert rate_limit(None) is None
    assert rate_limit(MethodSetting(throttling_rate_limit=-1)) is None
    assert rate_limit(MethodSetting(throttling_burst_limit=-1)) is None
    for zero in (MethodSetting(throttling_rate_limit=0.0), MethodSetting(throttling_burst_limit=0)):
        nothing = rate_limit(zero)
        assert nothing is not None
        assert not Buckets().of(_KEY, nothing).take(nothing, now=1e9)
