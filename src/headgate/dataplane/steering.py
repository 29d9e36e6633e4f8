"""Stages whose callers have a say in their side (docs/canaries.md). Any other stage's way does not touch this."""

import msgspec

from headgate.dataplane.sessions import StickyHeader
from headgate.dataplane.snapshot import StageSnapshot, Variant
from headgate.model.call import Call


class RouteHeader(msgspec.Struct, frozen=True):
    """A header that leads to the canary, whatever the draw: a test's traffic, which counts for neither side."""

    name: bytes  # in lower case
    value: bytes
    variant: Variant  # the canary, with meters of its own

    def leads(self, call: Call) -> bool:
        return any(value == self.value and name.lower() == self.name for name, value in call.headers)


def route_header(setting: str, variant: Variant) -> RouteHeader:
    """From `name=value`."""
    name, _, value = setting.partition("=")
    return RouteHeader(name.lower().encode(), value.encode(), variant)


class SteeredStage(StageSnapshot, frozen=True, kw_only=True):
    """A stage with a canary whose callers' headers are looked at."""

    route_header: RouteHeader | None = None
    sticky: StickyHeader | None = None
    canary_buckets: int = 0  # of the sticky buckets, from 0 on

    def choose(self, call: Call, draw: float) -> Variant:
        if self.route_header is not None and self.route_header.leads(call):
            return self.route_header.variant
        if self.sticky is not None and self.canary is not None:
            bucket = self.sticky.bucket(call)
            if bucket is not None:
                return self.canary if bucket < self.canary_buckets else self.base
        return StageSnapshot.choose(self, call, draw)
