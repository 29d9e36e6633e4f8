"""The request of an HTTP integration: its URI and its mapped parameters as bytes (aws-semantics 3.6 and 3.9)."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, quote_plus, urlsplit

from headgate.dataplane import headers
from headgate.dataplane.mapping.parameters import RequestSource, compile_request_source
from headgate.dataplane.ports import BackendReplyTooLarge, BackendTimeout, BackendUnreachable, Origin
from headgate.dataplane.refusal import ConfigurationError, IntegrationFailure, IntegrationTimeout, Refusal
from headgate.dataplane.request import Request
from headgate.model.rest_api import ANY, Integration

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\+?\}")
_MAPPING_TARGET: Final = re.compile(r"integration\.request\.(path|querystring|header)\.(.+)")
_UNSAFE_IN_TARGET: Final = re.compile(r"[\x00-\x20\x7f]")
_NEVER_MAPPED: Final = frozenset({"content-length", "transfer-encoding", "x-amzn-trace-id"})
_WITH_A_BODY: Final = frozenset({b"POST", b"PUT", b"PATCH"})  # these say a length of 0 too
# What a mapped path value keeps as it is: the client percent-encoded it (aws-recorded, Invocation).
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"


class BackendRequest:
    """An HTTP integration's side towards its backend, compiled.

    Raises ValueError when `uri`, with its stage variables substituted, is not an HTTP URI, and InvalidMapping when a
    parameter's expression cannot be read.
    """

    def __init__(self, integration: Integration, uri: str, api_id: str) -> None:
        parts = urlsplit(uri)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"Invalid endpoint address: {uri}")
        tls = integration.tls_config
        self.origin: Final = Origin(
            parts.scheme,
            parts.hostname,
            parts.port or (443 if parts.scheme == "https" else 80),
            verify_tls=not (tls and tls.insecure_skip_verification),
        )
        self.timeout_s: Final = integration.timeout_in_millis / 1000
        self._method: Final = (
            None if integration.http_method == ANY else (integration.http_method or "").encode("ascii")
        )
        # Literal text and placeholder names, alternating, text first and last.
        self._path_pieces: Final = _PLACEHOLDER.split(parts.path or "/")
        self._query: Final = parts.query
        self._map_parameters(integration.request_parameters or {})
        self._is_fixed: Final = len(self._path_pieces) == 1 and not self._query and not self._mapped_queries
        self.origin_url: Final = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"  # as the URI has it
        host = parts.netloc.rpartition("@")[2].encode("ascii" if parts.netloc.isascii() else "idna")
        self._after_target: Final = b" HTTP/1.1\r\nHost: %b\r\nX-Amzn-Apigateway-Api-Id: %b\r\nX-Amzn-Trace-Id: " % (
            host,
            api_id.encode("ascii"),
        )

    def head(self, request: Request, lines: list[bytes], query: str, body: bytes, trace_id: str) -> bytes:
        """The request's head: line, the gateway's own headers, these lines, and the mapped parameters on top.

        `lines` end in CRLF, each. Raises ConfigurationError for a mapped value that cannot be sent.
        """
        method = self.method_of(request)
        if self._mapped_headers:
            lines = self._with_mapped_headers(request, lines)
        return b"".join(
            (
                method,
                b" ",
                self._target(request, query),
                self._after_target,
                trace_id.encode("latin-1"),
                b"\r\n",
                *lines,
                b"Content-Length: %d\r\n\r\n" % len(body) if body or method in _WITH_A_BODY else b"\r\n",
            )
        )

    def method_of(self, request: Request) -> bytes:
        """The backend's method: the integration's own, or for ANY the client's."""
        return self._method or request.call.method.encode("ascii")

    def _map_parameters(self, parameters: Mapping[str, str]) -> None:
        """Sort `requestParameters` by where they go."""
        self._mapped_path: dict[str, RequestSource] = {}
        self._mapped_queries: list[tuple[str, RequestSource]] = []
        self._mapped_headers: list[tuple[str, RequestSource]] = []
        for target, expression in parameters.items():
            found = _MAPPING_TARGET.fullmatch(target)
            if found is None:
                continue
            place, name = found.groups()
            source = compile_request_source(expression)
            match place:
                case "path":
                    self._mapped_path[name] = source
                case "querystring":
                    self._mapped_queries.append((name, source))
                case _:
                    self._mapped_headers.append((name, source))

    def _target(self, request: Request, query: str) -> bytes:
        """Path and query of the request line: placeholders filled, the URI's own query and mapped parameters added."""
        path = self._path_pieces[0]
        if not self._is_fixed:
            for name, literal in zip(self._path_pieces[1::2], self._path_pieces[2::2], strict=True):
                source = self._mapped_path.get(name)
                # Without a mapping of its own a placeholder takes the path parameter of the same name.
                value = source(request) if source else request.path_parameters.get(name)
                path += quote(value or "", safe=_PATH_SAFE) + literal
            queries = [part for part in (self._query, query) if part]
            for name, source in self._mapped_queries:
                if (mapped := source(request)) is not None:
                    queries.append(f"{quote_plus(name)}={quote_plus(mapped)}")
            query = "&".join(queries)
        target = f"{path}?{query}" if query else path
        if _UNSAFE_IN_TARGET.search(target):
            raise ConfigurationError("Invalid endpoint address")
        return target.encode("utf-8")

    def _with_mapped_headers(self, request: Request, lines: list[bytes]) -> list[bytes]:
        for name, source in self._mapped_headers:
            if name.lower() in _NEVER_MAPPED:
                raise ConfigurationError(f"Invalid mapping target header: {name}")
            value = source(request)
            if value is not None:
                lines = _with_header(lines, name, value)
        return lines


def refusal_of(error: BackendTimeout | BackendUnreachable | BackendReplyTooLarge) -> Refusal:
    """What the client is told when the backend gave no answer."""
    match error:
        case BackendTimeout():
            return IntegrationTimeout("Execution failed due to a timeout error")
        case BackendReplyTooLarge():
            return ConfigurationError("the backend's answer is over 10485760 bytes")
        case BackendUnreachable():
            return IntegrationFailure(f"Network error communicating with endpoint: {error}")


def _with_header(lines: list[bytes], name: str, value: str) -> list[bytes]:
    """These lines with one header set: a mapped value takes the place of the client's."""
    raw = value.encode("utf-8")
    if not headers.is_safe_value(raw):
        raise ConfigurationError(f"the value mapped to header {name} has a line break")
    prefix = name.encode("latin-1") + b": "
    kept = [line for line in lines if line[: len(prefix)].lower() != prefix.lower()]
    return [*kept, prefix + raw + b"\r\n"]
