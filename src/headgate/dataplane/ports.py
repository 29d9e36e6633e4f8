"""The few outside acts that a request has. The application gives them; tests give their own."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from headgate.model.arn import FunctionRef
from headgate.model.call import Call, Pieces
from headgate.model.invocation import Outcome

if TYPE_CHECKING:
    from headgate.dataplane.function_url.published import FunctionUrls


class Origin(msgspec.Struct, frozen=True):
    """Where an HTTP integration's backend listens. Hashable: connection pools are kept per origin."""

    scheme: str  # "http" or "https"
    host: str
    port: int
    verify_tls: bool = True


class BackendReply(msgspec.Struct, frozen=True, gc=False):
    """A backend's answer with its body complete and unchunked; headers in order, as sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class BackendTimeout(Exception):
    """The backend did not answer within the integration's timeout."""


class BackendUnreachable(Exception):
    """No connection, or it broke before the answer was whole: refused, DNS, TLS, reset, or not HTTP."""


class BackendReplyTooLarge(Exception):
    """The backend's answer is over the payload limit of 10 MB."""


class HttpClient(Protocol):
    """Keep-alive pools of client connections, one per origin."""

    async def send(self, origin: Origin, method: bytes, head: bytes, body: bytes, timeout_s: float) -> BackendReply:
        """Send one request and give its answer.

        `head` is complete: request line, all headers with Host and, where there is a body, Content-Length, and the
        blank line. `timeout_s` covers it all, from taking a connection to the last byte of the answer.
        Raises BackendTimeout, BackendUnreachable or BackendReplyTooLarge.
        """
        ...


class FunctionMissing(Exception):
    """There is no such function, version or alias."""


class FunctionThrottled(Exception):
    """No execution environment is free and no more may be started."""


class FunctionReply(msgspec.Struct, frozen=True, gc=False):
    """A function's answer: JSON, the handler's own or, with `failed`, Lambda's error document."""

    payload: bytes
    failed: bool
    request_id: str = ""  # of the call, by which the function's log names it


class LogSink(Protocol):
    """Where the gateway's log lines go."""

    def write(self, group: str, stream: str, timestamp_ms: int, line: str) -> None:
        """Take one event. `group` is the ARN of its log group, without `:*`. Must not block."""
        ...


class FunctionStream(Pieces, Protocol):
    """A function's response as it comes. One that is not made in pieces is whole in `outcome`, and has none."""

    @property
    def content_type(self) -> str:
        """Of the pieces; "" where there are none."""
        ...

    @property
    def outcome(self) -> Outcome | None: ...


class Functions(Protocol):
    """The functions as they are published now."""

    def permits(self, function: FunctionRef, source_arns: tuple[str, ...]) -> bool:
        """Whether the policy of exactly this function, version or alias lets API Gateway call it from one of these.

        False also when there is no such function.
        """
        ...

    async def invoke(
        self, function: FunctionRef, payload: bytes, trace_id: str, timeout_s: float, version: str = ""
    ) -> FunctionReply:
        """Call the version that the reference stands for now or, as that reference, the version that is named.

        A call that outlives `timeout_s` runs on, as on AWS; only its answer is given up.
        Raises FunctionThrottled, FunctionMissing or BackendTimeout.
        """
        ...

    async def stream(self, function: FunctionRef, payload: bytes, trace_id: str) -> FunctionStream:
        """The same, for who takes the response while it is made; returns when its first piece, or all of it, is there.

        Raises FunctionThrottled or FunctionMissing.
        """
        ...


class Ports(Protocol):
    @property
    def http(self) -> HttpClient: ...

    @property
    def functions(self) -> Functions: ...

    @property
    def function_urls(self) -> "FunctionUrls": ...

    @property
    def verify_signature(self) -> "Callable[[Call, str], str | None]":
        """The access key with which a call of a function URL is rightly signed for a region, or None."""
        ...

    def draw(self) -> float:
        """A number uniform in [0, 100), anew at each call."""
        ...

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        ...
