"""HTTP and HTTP_PROXY: a backend over HTTP, requests and answers mapped or passed on (aws-semantics 3.6 and 3.9)."""

from collections.abc import Mapping

from headgate.dataplane import headers
from headgate.dataplane.integrations.http_request import BackendRequest, refusal_of
from headgate.dataplane.integrations.mapped_reply import ResponseMapping, map_reply
from headgate.dataplane.mapping.templates import select_request_template
from headgate.dataplane.ports import BackendReplyTooLarge, BackendTimeout, BackendUnreachable, Ports
from headgate.dataplane.request import Forwarding, Request
from headgate.dataplane.snapshot import Reply
from headgate.model.call import Call

_NO_ANSWER = (BackendTimeout, BackendUnreachable, BackendReplyTooLarge)


class HttpProxy:
    """HTTP_PROXY: the request goes on as it came, and so does the answer."""

    def __init__(self, backend: BackendRequest, api_id: str) -> None:
        self._backend = backend
        self._user_agent = f"User-Agent: AmazonAPIGateway_{api_id}\r\n".encode()

    async def __call__(self, request: Request, ports: Ports) -> Reply:
        call = request.call
        forwarded = request.forwarded
        backend = self._backend
        head = backend.head(request, self._passed_headers(call, forwarded), call.query, call.body, forwarded.trace_id)
        watch = request.watch
        if watch is not None:
            watch.sending(backend.origin_url, head, call.body)
        try:
            answer = await ports.http.send(
                backend.origin, backend.method_of(request), head, call.body, backend.timeout_s
            )
        except _NO_ANSWER as error:
            raise refusal_of(error) from error
        if watch is not None:
            watch.received(answer.status, answer.headers, answer.body)
        passed = headers.FROM_HTTP_PROXY
        reply_headers = [(kept, value) for name, value in answer.headers if (kept := passed[name]) is not None]
        return Reply(answer.status, reply_headers, answer.body)

    def _passed_headers(self, call: Call, forwarded: Forwarding) -> list[bytes]:
        """The client's headers as lines, the defaults for what it did not send, and the gateway's own."""
        passed = headers.TO_HTTP_PROXY
        lines = []
        has_accept = has_agent = False
        for name, value in call.headers:
            kept = passed[name]
            if kept is not None:
                lines.append(b"%b: %b\r\n" % (kept, value))
                length = len(name)
                if length == 6:
                    has_accept = has_accept or name.lower() == b"accept"
                elif length == 10:
                    has_agent = has_agent or name.lower() == b"user-agent"
        if not has_accept:
            lines.append(b"Accept: application/json\r\n")
        if not has_agent:
            lines.append(self._user_agent)
        lines.append(
            b"X-Forwarded-For: %b\r\nX-Forwarded-Port: %b\r\nX-Forwarded-Proto: %b\r\n"
            % (forwarded.forwarded_for.encode("latin-1"), call.port.encode(), call.scheme.encode())
        )
        return lines


class Http:
    """HTTP: only what is mapped reaches the backend, and its answer is mapped too."""

    def __init__(
        self,
        backend: BackendRequest,
        templates: Mapping[str, str],
        passthrough: str,
        responses: tuple[ResponseMapping, ...],
        api_id: str,
    ) -> None:
        self._backend = backend
        self._templates = templates
        self._passthrough = passthrough
        self._responses = responses
        self._lines = [b"Accept: application/json\r\n", f"User-Agent: AmazonAPIGateway_{api_id}\r\n".encode()]

    async def __call__(self, request: Request, ports: Ports) -> Reply:
        template = select_request_template(self._templates, self._passthrough, request.call)
        body = request.call.body if template is None else template.encode("utf-8")
        lines = list(self._lines)
        if body:
            content_type = headers.first(request.call.headers, b"content-type") or b"application/json"
            lines.append(b"Content-Type: " + content_type + b"\r\n")
        trace_id = request.forwarded.trace_id
        backend = self._backend
        head = backend.head(request, lines, "", body, trace_id)
        watch = request.watch
        if watch is not None:
            watch.sending(backend.origin_url, head, body)
        try:
            answer = await ports.http.send(backend.origin, backend.method_of(request), head, body, backend.timeout_s)
        except _NO_ANSWER as error:
            raise refusal_of(error) from error
        if watch is not None:
            watch.received(answer.status, answer.headers, answer.body)
        reply = map_reply(self._responses, request, answer, str(answer.status))
        reply.headers.append((b"X-Amzn-Trace-Id", trace_id.encode("latin-1")))
        return reply
