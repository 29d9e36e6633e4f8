"""HTTP and HTTP_PROXY: a request to a backend over HTTP, passed through or mapped (aws-semantics 3.6 and 3.9)."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, quote_plus, urlsplit

from headgate.dataplane import headers
from headgate.dataplane.integrations.mapped_reply import ResponseMapping, map_reply
from headgate.dataplane.mapping.parameters import RequestSource, compile_request_source
from headgate.dataplane.mapping.templates import select_request_template
from headgate.dataplane.ports import (
    BackendReply,
    BackendReplyTooLarge,
    BackendTimeout,
    BackendUnreachable,
    Origin,
    Ports,
)
from headgate.dataplane.refusal import ConfigurationError, IntegrationFailure, IntegrationTimeout
from headgate.dataplane.request import Request
from headgate.dataplane.snapshot import Reply
from headgate.model.rest_api import ANY, Integration

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\+?\}")
_TARGET: Final = re.compile(r"integration\.request\.(path|querystring|header)\.(.+)")
_UNSAFE_IN_TARGET: Final = re.compile(r"[\x00-\x20\x7f]")
_NEVER_MAPPED: Final = frozenset({"content-length", "transfer-encoding", "x-amzn-trace-id"})
# What a mapped path value keeps as it is: it was percent-encoded by the client (aws-recorded, Invocation).
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"


class RequestMapping:
    """`requestParameters`, sorted by where they go. Raises InvalidMapping for an expression that cannot be read."""

    def __init__(self, parameters: Mapping[str, str] | None) -> None:
        self.path: dict[str, RequestSource] = {}
        self.query: list[tuple[str, RequestSource]] = []
        self.headers: list[tuple[str, RequestSource]] = []
        self.forbidden = ""  # a header that may not be mapped fails each call
        for target, expression in (parameters or {}).items():
            found = _TARGET.fullmatch(target)
            if found is None:
                continue
            place, name = found.groups()
            source = compile_request_source(expression)
            if place == "path":
                self.path[name] = source
            elif place == "querystring":
                self.query.append((name, source))
            elif name.lower() in _NEVER_MAPPED:
                self.forbidden = name
            else:
                self.headers.append((name, source))


class Backend:
    """Where an integration's URI points, split once: origin, and a target with or without placeholders."""

    def __init__(self, uri: str, *, verify_tls: bool) -> None:
        """Raises ValueError when `uri` is not an HTTP URI."""
        parts = urlsplit(uri)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"Invalid endpoint address: {uri}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self.origin: Final = Origin(parts.scheme, parts.hostname, port, verify_tls)
        host = parts.netloc.rpartition("@")[2]
        self.host_line: Final = b"Host: " + host.encode("ascii" if host.isascii() else "idna")
        self.query: Final = parts.query
        # Literal text and placeholder names, alternating, text first and last.
        self.path_pieces: Final = _PLACEHOLDER.split(parts.path or "/")


def compile_http(integration: Integration, uri: str, api_id: str) -> "HttpProxy":
    """The parts that HTTP and HTTP_PROXY share. `uri` has its stage variables substituted."""
    return HttpProxy(
        Backend(uri, verify_tls=not (integration.tls_config and integration.tls_config.insecure_skip_verification)),
        RequestMapping(integration.request_parameters),
        http_method=integration.http_method or "",
        timeout_s=integration.timeout_in_millis / 1000,
        api_id=api_id,
    )


class HttpProxy:
    """HTTP_PROXY: the request goes on as it came, and so does the answer."""

    def __init__(
        self, backend: Backend, mapping: RequestMapping, *, http_method: str, timeout_s: float, api_id: str
    ) -> None:
        self._backend = backend
        self._mapping = mapping
        self._method = None if http_method == ANY else http_method.encode("ascii")
        self._timeout_s = timeout_s
        self._user_agent = f"AmazonAPIGateway_{api_id}".encode()
        self._fixed = b"\r\n" + backend.host_line + b"\r\nX-Amzn-Apigateway-Api-Id: " + api_id.encode() + b"\r\n"

    async def __call__(self, request: Request, ports: Ports) -> Reply:
        backend_reply = await self.send(request, ports, _passed_headers(request, self._user_agent), request.call.query)
        passed = headers.FROM_HTTP_PROXY
        reply_headers = [(kept, value) for name, value in backend_reply.headers if (kept := passed[name]) is not None]
        return Reply(backend_reply.status, reply_headers, backend_reply.body)

    async def send(
        self, request: Request, ports: Ports, lines: list[bytes], query: str, body: bytes | None = None
    ) -> BackendReply:
        """One request to the backend, with these header lines and the mapped parameters on top."""
        call = request.call
        body = call.body if body is None else body
        method = self._method or call.method.encode("ascii")
        mapping = self._mapping
        if mapping.forbidden:
            raise ConfigurationError(f"Invalid mapping target header: {mapping.forbidden}")
        for name, source in mapping.headers:
            value = source(request)
            if value is not None:
                lines = _with_header(lines, name, value)
        head = b"".join(
            (
                method,
                b" ",
                self._target(request, query),
                b" HTTP/1.1",
                self._fixed,
                *lines,
                b"X-Amzn-Trace-Id: %b\r\n" % request.trace_id.encode("latin-1"),
                b"Content-Length: %d\r\n\r\n" % len(body) if body or method in {b"POST", b"PUT", b"PATCH"} else b"\r\n",
            )
        )
        try:
            return await ports.http.send(self._backend.origin, method, head, body, self._timeout_s)
        except BackendTimeout as error:
            raise IntegrationTimeout("Execution failed due to a timeout error") from error
        except BackendReplyTooLarge as error:
            raise ConfigurationError("the backend's answer is over 10485760 bytes") from error
        except BackendUnreachable as error:
            raise IntegrationFailure(f"Network error communicating with endpoint: {error}") from error

    def _target(self, request: Request, query: str) -> bytes:
        """Path and query of the request line: placeholders filled, the URI's own query and mapped parameters added."""
        backend, mapping = self._backend, self._mapping
        path = backend.path_pieces[0]
        for name, literal in zip(backend.path_pieces[1::2], backend.path_pieces[2::2], strict=True):
            source = mapping.path.get(name)
            # Without a mapping of its own a placeholder takes the path parameter of the same name.
            value = source(request) if source else request.path_parameters.get(name)
            path += quote(value or "", safe=_PATH_SAFE) + literal
        queries = [part for part in (backend.query, query) if part]
        for name, source in mapping.query:
            if (mapped := source(request)) is not None:
                queries.append(f"{quote_plus(name)}={quote_plus(mapped)}")
        target = f"{path}?{'&'.join(queries)}" if queries else path
        if _UNSAFE_IN_TARGET.search(target):
            raise ConfigurationError("Invalid endpoint address")
        return target.encode("utf-8")


class Http:
    """HTTP: only what is mapped reaches the backend, and its answer is mapped too."""

    def __init__(
        self,
        sender: HttpProxy,
        templates: Mapping[str, str],
        passthrough: str,
        responses: tuple[ResponseMapping, ...],
        api_id: str,
    ) -> None:
        self._sender = sender
        self._templates = templates
        self._passthrough = passthrough
        self._responses = responses
        self._lines = [b"Accept: application/json\r\n", b"User-Agent: AmazonAPIGateway_" + api_id.encode() + b"\r\n"]

    async def __call__(self, request: Request, ports: Ports) -> Reply:
        template = select_request_template(self._templates, self._passthrough, request.call)
        body = request.call.body if template is None else template.encode("utf-8")
        lines = list(self._lines)
        if body:
            content_type = headers.first(request.call.headers, b"content-type") or b"application/json"
            lines.append(b"Content-Type: " + content_type + b"\r\n")
        backend_reply = await self._sender.send(request, ports, lines, "", body)
        reply = map_reply(self._responses, request, backend_reply, str(backend_reply.status))
        reply.headers.append((b"X-Amzn-Trace-Id", request.trace_id.encode("latin-1")))
        return reply


def _passed_headers(request: Request, user_agent: bytes) -> list[bytes]:
    """The client's headers as lines, and the gateway's forwarding headers."""
    call = request.call
    passed = headers.TO_HTTP_PROXY
    lines = []
    has_accept = has_agent = False
    for name, value in call.headers:
        kept = passed[name]
        if kept is None:
            continue
        length = len(name)
        if length == 6 and name.lower() == b"accept":
            has_accept = True
        elif length == 10 and name.lower() == b"user-agent":
            has_agent = True
        elif length == 15 and name.lower() in _REWRITTEN:
            continue
        lines.append(b"%b: %b\r\n" % (kept, value))
    if not has_accept:
        lines.append(b"Accept: application/json\r\n")
    if not has_agent:
        lines.append(b"User-Agent: %b\r\n" % user_agent)
    lines.append(
        b"X-Forwarded-For: %b\r\nX-Forwarded-Port: %b\r\nX-Forwarded-Proto: %b\r\n"
        % (request.forwarded_for.encode("latin-1"), call.port.encode(), call.scheme.encode())
    )
    return lines


_REWRITTEN: Final = frozenset({b"x-forwarded-for", b"x-amzn-trace-id"})  # both of 15 characters


def _with_header(lines: list[bytes], name: str, value: str) -> list[bytes]:
    """These lines with one header set: a mapped value takes the place of the client's."""
    raw = value.encode("utf-8")
    if not headers.is_safe_value(raw):
        raise ConfigurationError(f"the value mapped to header {name} has a line break")
    prefix = name.encode("latin-1") + b": "
    kept = [line for line in lines if line[: len(prefix)].lower() != prefix.lower()]
    return [*kept, prefix + raw + b"\r\n"]
