"""What Lambda's operations need from outside the store."""

from collections.abc import Mapping
from typing import Any, Protocol

from headgate.control.context import Store
from headgate.model.arn import FunctionRef
from headgate.model.invocation import Outcome
from headgate.model.scope import Scope
from headgate.model.value import Value


class Invoked(Value, frozen=True):
    """A call that ran: which version it was, and how it ended."""

    executed_version: str
    outcome: Outcome


class LambdaPorts(Protocol):
    @property
    def store(self) -> Store: ...

    async def invoke(
        self, function: FunctionRef, payload: bytes, *, client_context: str, want_log_tail: bool
    ) -> Invoked:
        """Call what the reference stands for now: an alias draws a version by its weights.

        Raises ApiError: ResourceNotFoundException, or TooManyRequestsException with its Reason.
        """
        ...

    async def fetch_object(self, bucket: str, key: str, version_id: str | None) -> bytes:
        """An object of S3. Raises ApiError (InvalidParameterValueException) when it cannot be had."""
        ...

    def supports_runtime(self, runtime: str) -> bool: ...

    def code_location(self, digest: str, now: float) -> str:
        """A URL from which a zip can be fetched for ten minutes; `digest` is its SHA-256 in hexadecimal."""
        ...

    def function_url(self, url_id: str, region: str) -> str:
        """Where the gateway answers for a function URL."""
        ...

    async def call_aws(self, service: str, operation: str, params: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
        """One operation of another service, wherever that is. Raises ApiError with the service's own code and text."""
        ...
