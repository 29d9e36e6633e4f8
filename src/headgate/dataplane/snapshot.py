"""What the pipeline reads: one stage, compiled and immutable. Publishing a change swaps a reference to one of these."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from headgate.dataplane.exchange import Exchange
from headgate.dataplane.observation import Meter
from headgate.dataplane.ports import Ports
from headgate.dataplane.request import Request, Trace
from headgate.dataplane.routing import Routes
from headgate.dataplane.throttle import Bucket, RateLimit
from headgate.model.call import Call


class Reply(msgspec.Struct, gc=False):
    """An integration's answer before the gateway's own headers are added. `headers` is the reply's own list."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class CompiledIntegration(Protocol):
    """An integration with all that can be decided beforehand decided."""

    async def __call__(self, request: Request, ports: Ports) -> Reply:
        """Answer one request, or raise a Refusal."""
        ...


class Witness(Protocol):
    """Whoever is told of a method's requests."""

    @property
    def needs_watch(self) -> bool:
        """Whether the integration is to be watched."""
        ...

    def tell(self, exchange: Exchange) -> None: ...


class Tracer(Protocol):
    """Whoever traces the requests of one side of a stage."""

    @property
    def samples(self) -> bool:
        """Whether it decides by itself who is traced, or goes along with callers only."""
        ...

    def begin(self, request: Request, draw: float) -> Request:
        """The request with its trace, or with a header that says that there is none. `draw` is uniform in [0, 1)."""
        ...

    def finish(self, trace: Trace, exchange: Exchange) -> None: ...


class MethodSnapshot(msgspec.Struct, frozen=True):
    """One method of one deployment, on one stage."""

    http_method: str  # or ANY
    resource_id: str
    resource_path: str  # the template
    operation_name: str | None
    authorization_type: str
    api_key_required: bool
    integration: CompiledIntegration
    limit: RateLimit | None
    bucket: Bucket | None
    meter: Meter  # its own with metricsEnabled, else its side's
    witness: Witness | None = None  # None: no log is kept of its requests


class Variant(msgspec.Struct, frozen=True):
    """One side of a stage: a deployment with its variables substituted."""

    deployment_id: str
    variables: Mapping[str, str]
    routes: Routes[MethodSnapshot]
    is_canary: bool | None  # None: the stage has no canary
    default_endpoint_disabled: bool
    binary_media_types: frozenset[str]
    minimum_compression_size: int | None  # bytes
    meter: Meter  # of what no method of its own is counted for
    unrouted: MethodSnapshot | None = None  # stands for the method of what matches none; None where no log is kept
    tracer: Tracer | None = None  # None: the server keeps no traces


class StageSnapshot(msgspec.Struct, frozen=True):
    """One stage. `canary_percent` is 0 to 100, and `canary` None when the stage has none.

    A stage whose callers have a say in their side is a `steering.SteeredStage`.
    """

    account_id: str
    region: str
    api_id: str
    name: str
    base: Variant
    canary: Variant | None = None
    canary_percent: float = 0.0

    def choose(self, call: Call, draw: float) -> Variant:  # noqa: ARG002  a steered stage looks at the call
        """Pick the side that answers one request; `draw` is uniform in [0, 100)."""
        if self.canary is not None and draw < self.canary_percent:
            return self.canary
        return self.base


class Stages:
    """The stages this process serves. A request holding an old map finishes on what it began with."""

    def __init__(self) -> None:
        self._stages: Mapping[tuple[str, str], StageSnapshot] = {}
        self._api_ids: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<Stages {len(self._stages)} served>"

    def find(self, api_id: str, stage_name: str) -> StageSnapshot | None:
        return self._stages.get((api_id, stage_name))

    def knows_api(self, api_id: str) -> bool:
        return api_id in self._api_ids

    def publish(self, stages: Mapping[tuple[str, str], StageSnapshot | None], api_ids: frozenset[str]) -> None:
        """Serve these from the next request on; None takes a stage away."""
        changed = {**self._stages, **stages}
        # One swap: no request sees a part of it.
        self._stages = {key: stage for key, stage in changed.items() if stage is not None}
        self._api_ids = api_ids
