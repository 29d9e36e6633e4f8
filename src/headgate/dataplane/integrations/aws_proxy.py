"""AWS_PROXY: the whole call as an event to a Lambda function, its answer as the response."""

import re
from typing import Final

import orjson

from headgate.dataplane.ports import BackendTimeout, FunctionMissing, FunctionThrottled, Ports
from headgate.dataplane.proxy_answer import proxy_answer
from headgate.dataplane.proxy_event import ProxyEvent
from headgate.dataplane.refusal import BadProxyAnswer, ConfigurationError, IntegrationTimeout
from headgate.dataplane.request import Request
from headgate.dataplane.snapshot import Reply
from headgate.model.arn import FunctionRef, method_source_arn, parse_function_arn
from headgate.model.rest_api import ANY

_LAMBDA_URI: Final = re.compile(
    r"arn:aws[\w-]*:apigateway:[\w-]+:lambda:path/2015-03-31/functions/(?P<function>.+)/invocations"
)


def function_of_uri(uri: str) -> FunctionRef | None:
    """The function that an integration URI names; None when it does not name one."""
    found = _LAMBDA_URI.fullmatch(uri)
    return parse_function_arn(found["function"]) if found else None


class SourceArns:
    """The ARNs under which one declared method calls: by the request's method and, for ANY, as declared too.

    Whether the service judges a method declared ANY by the one or the other is open (aws-semantics 3.7 and 9.3).
    """

    def __init__(self, region: str, account_id: str, api_id: str, stage: str, http_method: str, path: str) -> None:
        def arn(method: str) -> str:
            return method_source_arn(region, account_id, api_id, stage, method, path)

        self._declared = (arn(http_method),)
        self._by_method: dict[str, tuple[str, ...]] = {}
        if http_method == ANY:
            methods = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
            self._by_method = {method: (arn(method), arn(ANY)) for method in methods}

    def of(self, http_method: str) -> tuple[str, ...]:
        return self._by_method.get(http_method, self._declared)


class AwsProxy:
    def __init__(
        self, function: FunctionRef, sources: SourceArns, event: ProxyEvent, *, timeout_s: float, version: str = ""
    ) -> None:
        """`version` is the one that a canary's pin names for this side; "" leaves it to the reference."""
        self._function = function
        self._event = event
        self._version = version
        self._sources = sources
        self._timeout_s = timeout_s

    async def __call__(self, request: Request, ports: Ports) -> Reply:
        if not ports.functions.permits(self._function, self._sources.of(request.call.method)):
            raise ConfigurationError(f"Invalid permissions on Lambda function {self._function.arn}")
        forwarded = request.forwarded
        event = self._event.of(request)
        watch = request.watch
        if watch is not None:
            head = self._head(request, forwarded.trace_id)
            watch.sending(f"https://lambda.{self._function.region}.amazonaws.com", head, event, self._function)
        try:
            reply = await ports.functions.invoke(
                self._function, event, forwarded.trace_id, self._timeout_s, self._version
            )
        except BackendTimeout as error:
            raise IntegrationTimeout("Execution failed due to a timeout error") from error
        except FunctionMissing as error:
            raise ConfigurationError(f"Lambda function {self._function.arn} does not exist") from error
        except FunctionThrottled as error:
            # Open question 5 of aws-semantics: 500 after common reports.
            raise ConfigurationError("Lambda throttled the call") from error
        if watch is not None:
            watch.received(200, [], reply.payload, reply.request_id)  # the service's own status: the call was made
        if reply.failed:
            raise BadProxyAnswer(
                "Lambda execution failed with status 200 due to customer function error: "
                f"{_error_message(reply.payload)}. Lambda request id: {reply.request_id}"
            )
        answer = proxy_answer(request, reply.payload)
        answer.headers.append((b"X-Amzn-Trace-Id", forwarded.trace_id.encode("latin-1")))
        return answer

    def _head(self, request: Request, trace_id: str) -> bytes:
        """The call as the logs show it: there is no HTTP between the gateway and the functions."""
        return (
            f"POST /2015-03-31/functions/{self._function.arn}/invocations HTTP/1.1\r\n"
            f"x-amzn-lambda-integration-tag: {request.ids.request_id}\r\n"
            f"x-amzn-apigateway-api-id: {request.stage.api_id}\r\n"
            f"X-Amzn-Trace-Id: {trace_id}\r\n\r\n"
        ).encode("utf-8", "replace")


def _error_message(payload: bytes) -> str:
    """What Lambda's error document says."""
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return ""
    return str(document.get("errorMessage", "")) if isinstance(document, dict) else ""
