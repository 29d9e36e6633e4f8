"""What the connection itself answers, before there is a call: refusals in API Gateway's shape."""

import uuid
from typing import Final

import msgspec
import orjson

from headgate.model.call import Response


class HttpRefusal(msgspec.Struct, frozen=True):
    """A request that cannot become a call. The connection is closed after the answer."""

    status: int
    message: str
    error_type: str


BAD_REQUEST: Final = HttpRefusal(400, "Bad Request", "BadRequestException")
METHOD_NOT_ALLOWED: Final = HttpRefusal(405, "Method Not Allowed", "MethodNotAllowedException")
REQUEST_TIMEOUT: Final = HttpRefusal(408, "Request Timeout", "RequestTimeoutException")
URI_TOO_LONG: Final = HttpRefusal(414, "Request-URI Too Long", "RequestUriTooLongException")
EXPECTATION_FAILED: Final = HttpRefusal(417, "Expectation Failed", "ExpectationFailedException")
HEADERS_TOO_LARGE: Final = HttpRefusal(431, "Request Header Fields Too Large", "RequestHeaderFieldsTooLargeException")
DEFECT: Final = HttpRefusal(500, "Internal server error", "InternalServerErrorException")
UNAVAILABLE: Final = HttpRefusal(503, "Service Unavailable", "ServiceUnavailableException")
VERSION_NOT_SUPPORTED: Final = HttpRefusal(505, "HTTP Version Not Supported", "HttpVersionNotSupportedException")


def body_too_large(limit: int) -> HttpRefusal:
    """The payload is over `limit` bytes (aws-semantics 3.8, REQUEST_TOO_LARGE)."""
    return HttpRefusal(413, f"HTTP content length exceeded {limit} bytes.", "RequestTooLargeException")


def refusal_response(refusal: HttpRefusal, request_id: str) -> Response:
    """The answer that a refusal becomes."""
    return Response(
        refusal.status,
        [
            (b"Content-Type", b"application/json"),
            (b"x-amzn-RequestId", request_id.encode()),
            (b"x-amzn-ErrorType", refusal.error_type.encode()),
        ],
        orjson.dumps({"message": refusal.message}),
    )


def new_request_id() -> str:
    return str(uuid.uuid4())
