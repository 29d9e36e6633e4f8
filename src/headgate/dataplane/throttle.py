"""Token buckets: one per stage, resource and method, shared by both sides of a canary (aws-semantics 4 and 7)."""

import msgspec

from headgate.model.stage import MethodSetting

UNLIMITED = -1
"""A stored rate or burst of -1: no limit at the level of the method (aws-semantics 1.2)."""


class RateLimit(msgspec.Struct, frozen=True):
    rate: float  # tokens a second
    burst: int  # the bucket's size, in tokens


class Bucket:
    """One bucket's level. It outlives the snapshots that refer to it, so a change of limits keeps what was spent."""

    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at  # seconds, on the clock that `take` is given

    def take(self, limit: RateLimit, now: float) -> bool:
        """Spend one token; False when the call is refused, which leaves the bucket as it was."""
        tokens = min(limit.burst, self.tokens + (now - self.at) * limit.rate)
        if tokens < 1:
            return False
        self.tokens = tokens - 1
        self.at = now
        return True


BucketKey = tuple[str, str, str, str]
"""API id, stage name, resource path, method."""


class Buckets:
    """Every live bucket. One that no published stage refers to is dropped."""

    def __init__(self) -> None:
        self._buckets: dict[BucketKey, Bucket] = {}

    def of(self, key: BucketKey, limit: RateLimit) -> Bucket:
        """The bucket of one method of a stage; a new one is full."""
        return self._buckets.setdefault(key, Bucket(limit.burst, at=0.0))

    def drop_stage(self, api_id: str, stage_name: str) -> None:
        for key in [key for key in self._buckets if key[:2] == (api_id, stage_name)]:
            del self._buckets[key]


def rate_limit(setting: MethodSetting | None) -> RateLimit | None:
    """A method's own limit; None when its stage sets none. The account's limit is shown, not enforced."""
    if setting is None or UNLIMITED in {setting.throttling_rate_limit, setting.throttling_burst_limit}:
        return None
    if setting.throttling_rate_limit == 0:
        return RateLimit(0.0, 0)  # not even a first burst: 0 throttles everything (aws-semantics 1.2)
    return RateLimit(setting.throttling_rate_limit, setting.throttling_burst_limit)
