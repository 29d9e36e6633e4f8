"""The few outside acts that a request has. The application gives them; tests give their own."""

from typing import Protocol

import msgspec

from headgate.model.invocation import Outcome


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

    async def send(
        self, origin: Origin, method: bytes, head: bytes, body: bytes, timeout_s: float
    ) -> BackendReply:
        """Send one request and give its answer.

        `head` is complete: request line, all headers with Host and, where there is a body, Content-Length, and the
        blank line. `timeout_s` covers it all, from taking a connection to the last byte of the answer.
        Raises BackendTimeout, BackendUnreachable or BackendReplyTooLarge.
        """
        ...


class FunctionThrottled(Exception):
    """No execution environment is free and no more may be started."""
