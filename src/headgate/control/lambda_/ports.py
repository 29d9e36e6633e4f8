"""What Lambda's operations, and the delivery of its events, need from outside the store."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from headgate.control.context import Store
from headgate.functions.response_stream import ResponseStream
from headgate.model.arn import FunctionRef
from headgate.model.event import EventPolicy
from headgate.model.function import FunctionVersion
from headgate.model.invocation import Outcome
from headgate.model.provisioned import Provisioned
from headgate.model.scope import Scope
from headgate.model.value import Value
from headgate.wire.http import HttpRequest, HttpResponse


class Invoked(Value, frozen=True):
    """A call that ran: which version it was, and how it ended."""

    executed_version: str
    outcome: Outcome
    request_id: str = ""


class Streamed(msgspec.Struct, frozen=True):
    """A call that runs, and whose response comes while it does."""

    executed_version: str
    stream: ResponseStream  # begun
    request_id: str


class LambdaPorts(Protocol):
    @property
    def store(self) -> Store: ...

    @property
    def concurrency(self) -> int:
        """How many calls of an account may run at once in a region."""
        ...

    @property
    def max_provisioned(self) -> int:
        """How many environments the server can keep started, of all functions together."""
        ...

    async def invoke(
        self, function: FunctionRef, payload: bytes, *, client_context: str, want_log_tail: bool
    ) -> Invoked:
        """Call what the reference stands for now: an alias draws a version by its weights.

        Raises ApiError: ResourceNotFoundException, or TooManyRequestsException with its Reason.
        """
        ...

    async def invoke_streaming(
        self, function: FunctionRef, payload: bytes, *, client_context: str, want_log_tail: bool
    ) -> Streamed:
        """The same, for who takes the response while it is made; returns when its first piece, or all of it, is there.

        Raises ApiError as `invoke` does.
        """
        ...

    async def invoke_later(self, function: FunctionRef, payload: bytes, *, client_context: str) -> str:
        """Have it called, by an event that is durable when this returns; the request id of the call.

        Raises ApiError: ResourceNotFoundException, or TooManyRequestsException where no more events can wait.
        """
        ...

    def provisioned(self, version: FunctionVersion) -> Provisioned:
        """How many of its environments have started."""
        ...

    async def fetch_object(self, bucket: str, key: str, version_id: str | None) -> bytes:
        """An object of S3. Raises ApiError (InvalidParameterValueException) when it cannot be had."""
        ...

    def supports_runtime(self, runtime: str) -> bool: ...

    def missing_for(self, runtime: str) -> str:
        """What has to be installed before functions of a supported runtime can run; "" when nothing has."""
        ...

    def code_location(self, digest: str, now: float) -> str:
        """A URL from which a zip can be fetched for ten minutes; `digest` is its SHA-256 in hexadecimal."""
        ...

    def function_url(self, url_id: str, region: str) -> str:
        """Where the gateway answers for a function URL."""
        ...

    async def call_aws(self, service: str, operation: str, params: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
        """One operation of another service, wherever that is. Raises ApiError with the service's own code and text."""
        ...


class EventFunctions(Protocol):
    """What the delivery of events needs of the functions as they are published now."""

    def exists(self, function: FunctionRef) -> bool: ...

    def event_policy(self, function: FunctionRef) -> EventPolicy:
        """What is set for events of exactly this function, version or alias; the defaults where nothing is."""
        ...

    async def run(
        self,
        function: FunctionRef,
        payload: bytes,
        *,
        request_id: str,
        client_context: str = "",
        want_log_tail: bool = False,
    ) -> Invoked | None:
        """Call it; None where there is no such function, version or alias. Raises Throttled."""
        ...


class Services(Protocol):
    """The services that are not Headgate's own."""

    async def answer(self, service: str, request: HttpRequest, scope: Scope) -> HttpResponse:
        """The service's answer, whatever it is; a refusal is one too."""
        ...
