"""The functions' part of a trace: Lambda's own segment of a call, and below it the function's."""

import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson

from headgate.dataplane.tracing import SAMPLED, Traces
from headgate.functions.errors import Throttled
from headgate.model.arn import FunctionRef
from headgate.model.function import FunctionVersion
from headgate.model.invocation import Outcome
from headgate.model.scope import Scope
from headgate.model.trace import Asked, new_segment_id, new_trace_id, parse_trace_header, trace_header

_SERVICE: Final = "AWS::Lambda"
_FUNCTION: Final = "AWS::Lambda::Function"
_MAX_MESSAGE: Final = 1_000  # characters of an error's message


class FunctionTracer:
    """Made once; `begin` is called for calls that may be traced, see `may_trace`."""

    def __init__(self, traces: Traces, draw: Callable[[], float] = random.random) -> None:
        self._traces = traces
        self._draw = draw

    def begin(self, function: FunctionRef, version: FunctionVersion, header: str) -> "CallTrace | None":
        """The trace of one call; None where it is not traced.

        A caller's `Sampled` decides. Where it says nothing, a function with TracingConfig Active asks the rules.
        """
        told = parse_trace_header(header)
        if told.sampled == "0":
            return None
        if told.sampled != "1":
            if version.tracing_config.mode != "Active":
                return None
            asked = Asked(service_name=function.name, service_type=_FUNCTION, resource_arn=version.function_arn)
            if not self._traces.sampling.decide(function.account_id, function.region, asked, self._draw()).sampled:
                return None
        trace_id = told.root or new_trace_id(time.time())
        return CallTrace(self._traces, function, version, trace_id, told.parent)


def may_trace(version: FunctionVersion, header: str) -> bool:
    """Whether it is worth a look: most calls are told apart by this."""
    return SAMPLED in header or version.tracing_config.mode == "Active"


class CallTrace:
    """One traced call. `header` is what the function is told: what it adds hangs below its segment."""

    def __init__(
        self,
        traces: Traces,
        function: FunctionRef,
        version: FunctionVersion,
        trace_id: str,
        parent_id: str,
    ) -> None:
        self._traces = traces
        self._function = function
        self._version = version
        self._trace_id = trace_id
        self._parent_id = parent_id
        self._began = time.time()
        self._id = new_segment_id()
        self._function_id = new_segment_id()
        self.header: Final = trace_header(trace_id, self._function_id, sampled=True)

    def __repr__(self) -> str:
        return f"<CallTrace {self._trace_id} of {self._function.arn}>"

    async def observe(self, request_id: str, call: Awaitable[Outcome]) -> Outcome:
        """Await the call and tell of it."""
        outcome = None
        try:
            outcome = await call
        except Throttled:
            self.throttled()
            raise
        except TimeoutError:
            self._finish(request_id, None)
            raise
        self._finish(request_id, outcome)
        return outcome

    def throttled(self) -> None:
        """It was refused before it ran."""
        self._put(self._segment(self._id, self._parent_id, _SERVICE, 429) | {"error": True, "throttle": True})

    def _finish(self, request_id: str, outcome: Outcome | None) -> None:
        """`outcome` is None where its caller gave up and it runs on."""
        service = self._segment(self._id, self._parent_id, _SERVICE, 200)
        service["aws"] = {"request_id": request_id, "account_id": self._function.account_id}
        function = self._segment(self._function_id, self._id, _FUNCTION, None)
        function["aws"] = {
            "function_arn": self._version.function_arn,
            "request_id": request_id,
            "account_id": self._function.account_id,
        }
        if outcome is None:
            for segment in (service, function):
                del segment["end_time"]
                segment["in_progress"] = True
        elif outcome.error is not None:
            function["fault"] = True
            function["cause"] = {"working_directory": "/var/task", "exceptions": [_exception(outcome.payload)]}
        self._put(service)
        self._put(function)

    def _segment(self, segment_id: str, parent_id: str, origin: str, status: int | None) -> dict[str, Any]:
        segment: dict[str, Any] = {
            "id": segment_id,
            "trace_id": self._trace_id,
            "name": self._function.name,
            "origin": origin,
            "resource_arn": self._version.function_arn,
            "start_time": self._began,
            "end_time": time.time(),
        }
        if parent_id:
            segment["parent_id"] = parent_id
        if status is not None:
            segment["http"] = {"response": {"status": status}}
        return segment

    def _put(self, segment: dict[str, Any]) -> None:
        scope = Scope(account_id=self._function.account_id, region=self._function.region)
        self._traces.sink.put(scope, segment)


def _exception(payload: bytes) -> dict[str, Any]:
    """What Lambda's error document says."""
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    return {
        "id": new_segment_id(),
        "type": str(document.get("errorType", "Error"))[:_MAX_MESSAGE],
        "message": str(document.get("errorMessage", ""))[:_MAX_MESSAGE],
    }
