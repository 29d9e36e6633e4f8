"""Tracing the gateway's own part of a request: the decision, the header that goes on, the segment (aws-semantics 6.5).

A stage with tracingEnabled asks the sampling rules, once a request. Any stage goes along with a caller that says
`Sampled=1`, and with one that says `Sampled=0`.
"""

from typing import Any, Final, NamedTuple, Protocol

from msgspec.structs import replace

from headgate.dataplane import headers
from headgate.dataplane.exchange import Exchange
from headgate.dataplane.refusal import Refusal
from headgate.dataplane.request import Forwarding, Request, Trace
from headgate.dataplane.watch import Watch
from headgate.model.arn import stage_arn
from headgate.model.scope import Scope
from headgate.model.trace import (
    Asked,
    Decision,
    new_segment_id,
    new_trace_id,
    parse_trace_header,
    trace_header,
)

SAMPLED: Final = "Sampled=1"
ORIGIN: Final = "AWS::ApiGateway::Stage"


class Sampling(Protocol):
    """The sampling rules in force."""

    def decide(self, account_id: str, region: str, asked: Asked, draw: float) -> Decision:
        """Whether a request is traced; `draw` is uniform in [0, 1)."""
        ...


class TraceSink(Protocol):
    """Where segments go."""

    def put(self, scope: Scope, segment: dict[str, Any]) -> None:
        """Take one segment document. Must not block."""
        ...


class Traces(NamedTuple):
    sampling: Sampling
    sink: TraceSink


class Tracer:
    """Traces the requests of one side of a stage."""

    def __init__(
        self, traces: Traces, scope: Scope, api_id: str, api_name: str, stage_name: str, *, samples: bool
    ) -> None:
        """`samples` is the stage's tracingEnabled; without it only callers decide."""
        self.samples: Final = samples
        self._traces = traces
        self._scope = scope
        self._api_id = api_id
        self._stage_name = stage_name
        self._name = f"{api_name}/{stage_name}"
        self._arn = stage_arn(scope.region, api_id, stage_name)

    def __repr__(self) -> str:
        return f"<Tracer {self._name}>"

    def begin(self, request: Request, draw: float) -> Request:
        """The request with its trace; where it is not traced, with a header that tells a backend so."""
        told = parse_trace_header(request.forwarded.trace_id)
        trace_id = told.root or new_trace_id(request.call.received_at)
        rule_name = ""
        if told.sampled in {"0", "1"}:
            sampled = told.sampled == "1"
        else:
            call = request.call
            asked = Asked(
                service_name=self._name,
                service_type=ORIGIN,
                resource_arn=self._arn,
                host=call.host,
                http_method=call.method,
                url_path=request.address.full_path,
            )
            sampled, rule_name = self._decide(asked, draw)
        if not sampled:
            header = trace_header(trace_id, told.parent, sampled=False)
            return replace(request, forwarded=Forwarding(header, request.forwarded.forwarded_for))
        trace = Trace(trace_id, told.parent, new_segment_id(), new_segment_id(), rule_name)
        # The subsegment's id, as the SDKs send it: what a backend adds then hangs below the call of it.
        header = trace_header(trace_id, trace.subsegment_id, sampled=True)
        return replace(
            request,
            forwarded=Forwarding(header, request.forwarded.forwarded_for),
            watch=request.watch or Watch(),
            trace=trace,
        )

    def finish(self, trace: Trace, exchange: Exchange) -> None:
        """Give the segment of an answered request to the store."""
        self._traces.sink.put(self._scope, self._segment(trace, exchange))

    def _decide(self, asked: Asked, draw: float) -> tuple[bool, str]:
        decision = self._traces.sampling.decide(self._scope.account_id, self._scope.region, asked, draw)
        return decision.sampled, decision.rule_name

    def _segment(self, trace: Trace, exchange: Exchange) -> dict[str, Any]:
        request, status = exchange.request, exchange.response.status
        call = request.call
        annotations: dict[str, Any] = {
            "aws:api_id": self._api_id,
            "aws:api_stage": self._stage_name,
            "request_id": request.ids.request_id,
        }
        if request.variant.is_canary is not None:
            annotations["canary"] = request.variant.is_canary
        aws: dict[str, Any] = {
            "api_gateway": {
                "account_id": self._scope.account_id,
                "rest_api_id": self._api_id,
                "stage": self._stage_name,
                "request_id": request.ids.request_id,
            }
        }
        if trace.rule_name:
            aws["xray"] = {"sampling_rule_name": trace.rule_name}
        agent = headers.first(call.headers, b"user-agent")
        segment: dict[str, Any] = {
            "id": trace.segment_id,
            "trace_id": trace.trace_id,
            "name": self._name,
            "origin": ORIGIN,
            "resource_arn": self._arn,
            "start_time": call.received_at,
            "end_time": call.received_at + exchange.latency_s,
            "http": {
                "request": {
                    "method": call.method,
                    # Without the query, which may hold what is secret.
                    "url": f"{call.scheme}://{call.host}{call.path}",
                    "client_ip": call.source_ip,
                    "user_agent": "" if agent is None else agent.decode("latin-1"),
                },
                "response": {"status": status, "content_length": len(exchange.response.body)},
            },
            "annotations": annotations,
            "aws": aws,
        }
        if trace.parent_id:
            segment["parent_id"] = trace.parent_id
        _mark(segment, status)
        if exchange.refusal is not None and status >= 500:
            segment["cause"] = _cause(exchange.refusal)
        watch = request.watch
        if watch is not None and watch.origin:
            segment["subsegments"] = [_subsegment(trace, exchange, watch)]
        return segment


def _subsegment(trace: Trace, exchange: Exchange, watch: Watch) -> dict[str, Any]:
    """The integration's call."""
    start_s = exchange.request.call.received_at + exchange.before_s
    called: dict[str, Any] = {
        "id": trace.subsegment_id,
        "start_time": start_s,
        "end_time": start_s + exchange.integration_s,
        "http": {
            "request": {"method": watch.method, "url": watch.uri.partition("?")[0]},
            "response": {"status": watch.status, "content_length": len(watch.received_body)},
        },
    }
    if watch.function is None:
        called["name"] = watch.origin.partition("://")[2]
        called["namespace"] = "remote"
    else:
        called["name"] = "Lambda"
        called["namespace"] = "aws"
        called["aws"] = {
            "function_name": watch.function.name,
            "operation": "Invoke",
            "region": watch.function.region,
            "request_id": watch.request_id,
        }
    _mark(called, watch.status)
    if not watch.status:  # no answer: a timeout, or nobody there
        del called["http"]["response"]
        called["fault"] = True
    return called


def _mark(segment: dict[str, Any], status: int) -> None:
    if status >= 500:
        segment["fault"] = True
    elif status >= 400:
        segment["error"] = True
        if status == 429:
            segment["throttle"] = True


def _cause(refusal: Refusal) -> dict[str, Any]:
    """What the client may read too: the reason may quote what is secret."""
    exception = {"id": new_segment_id(), "type": refusal.response_type, "message": refusal.text}
    return {"working_directory": "", "exceptions": [exception]}
