"""What Lambda's operations need from outside the store."""

from typing import Protocol

from headgate.control.context import Store
from headgate.model.arn import FunctionRef
from headgate.model.invocation import Outcome
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

    def missing_for(self, runtime: str) -> str:
        """What has to be installed before functions of a supported runtime can run; "" when nothing has."""
        ...
