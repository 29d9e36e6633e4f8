"""Why the gateway itself answers a request: each refusal is one gateway response type (aws-semantics 10.1)."""

from typing import ClassVar


class Refusal(Exception):
    """A stop of the pipeline refuses the request. `message` is what the client reads."""

    response_type: ClassVar[str]
    status: ClassVar[int]  # used where the API sets none
    error_type: ClassVar[str]  # the value of x-amzn-ErrorType
    text: ClassVar[str]

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or self.text)
        self.reason = reason
        """For the execution log; never sent to the client."""


class MissingAuthenticationToken(Refusal):
    """No route, no such stage, or an unsigned call of a method that wants a signature: the service tells them apart
    nowhere."""

    response_type = "MISSING_AUTHENTICATION_TOKEN"
    status = 403
    error_type = "MissingAuthenticationTokenException"
    text = "Missing Authentication Token"


class Forbidden(Refusal):
    """The API does not exist, or its default endpoint is switched off."""

    response_type = "ACCESS_DENIED"
    status = 403
    error_type = "ForbiddenException"
    text = "Forbidden"


class InvalidApiKey(Forbidden):
    """The method wants an API key and the request has none that a usage plan of this stage knows."""

    response_type = "INVALID_API_KEY"


class Throttled(Refusal):
    """The method's token bucket is empty."""

    response_type = "THROTTLED"
    status = 429
    error_type = "TooManyRequestsException"
    text = "Too Many Requests"


class ConfigurationError(Refusal):
    """The method, its integration or its mapping cannot work as configured; `reason` says why."""

    response_type = "API_CONFIGURATION_ERROR"
    status = 500
    error_type = "InternalServerErrorException"
    text = "Internal server error"


class BadProxyAnswer(Refusal):
    """The function failed, or its answer breaks the proxy contract (aws-semantics 3.5)."""

    response_type = "DEFAULT_5XX"
    status = 502
    error_type = "InternalServerErrorException"
    text = "Internal server error"


class IntegrationTimeout(Refusal):
    response_type = "INTEGRATION_TIMEOUT"
    status = 504
    error_type = "InternalServerErrorException"
    text = "Endpoint request timed out"


class IntegrationFailure(Refusal):
    """The backend cannot be reached. Documented as 504, seen as 500 (aws-recorded, Invocation)."""

    response_type = "INTEGRATION_FAILURE"
    status = 500
    error_type = "InternalServerErrorException"
    text = "Internal server error"


class BadRequestBody(Refusal):
    response_type = "BAD_REQUEST_BODY"
    status = 400
    error_type = "BadRequestException"
    text = "Invalid request body"


class UnsupportedMediaType(Refusal):
    """The integration has templates, none for the request's content type, and passes nothing through."""

    response_type = "UNSUPPORTED_MEDIA_TYPE"
    status = 415
    error_type = "UnsupportedMediaTypeException"
    text = "Unsupported Media Type"
