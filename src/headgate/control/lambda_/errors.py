"""Lambda's errors, by code, in the service's own words where they are known (aws-semantics 9.1-9.4)."""

from headgate.model.arn import FunctionRef
from headgate.model.errors import ApiError


def invalid(message: str) -> ApiError:
    return _error("InvalidParameterValueException", message, 400)


def unsupported(member: str, value: object, accepted: str) -> ApiError:
    """For what Lambda has and Headgate cannot do; `accepted` says what can be given instead."""
    return invalid(f"{member} {value} is not supported by Headgate: {accepted}")


def invalid_content(message: str) -> ApiError:
    return _error("InvalidRequestContentException", message, 400)


def outside_limits(path: str, value: object, constraint: str) -> ApiError:
    """In the words of the first layer of validation, for limits that are narrower than the service model's."""
    return ApiError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {constraint}",
    )


def not_found(message: str) -> ApiError:
    return _error("ResourceNotFoundException", message, 404)


def function_not_found(function: FunctionRef) -> ApiError:
    return not_found(f"Function not found: {function.arn}")


def alias_not_found(alias: FunctionRef) -> ApiError:
    return not_found(f"Cannot find alias arn: {alias.arn}")


def code_signing_config_not_found(arn: str) -> ApiError:
    return _error(
        "CodeSigningConfigNotFoundException",
        f"The code signing configuration cannot be found. Check that the provided configuration is not deleted: {arn}.",
        404,
    )


def conflict(message: str) -> ApiError:
    return _error("ResourceConflictException", message, 409)


def access_denied(message: str) -> ApiError:
    return _error("AccessDeniedException", message, 403)


def policy_too_long(size: int, limit: int) -> ApiError:
    return _error(
        "PolicyLengthExceededException", f"The final policy size ({size}) is bigger than the limit ({limit}).", 400
    )


def entity_too_large(message: str) -> ApiError:
    return _error("RequestEntityTooLargeException", message, 413)


def payload_too_large(message: str) -> ApiError:
    return _error("RequestTooLargeException", message, 413)


def provisioned_not_found() -> ApiError:
    return _error(
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
        404,
    )


def too_many_requests(reason: str, message: str = "Rate Exceeded.") -> ApiError:
    """A throttle; `reason` is one of the service model's ThrottleReason."""
    return ApiError("TooManyRequestsException", message, 429, fields={"Type": "User", "Reason": reason})


def not_started(message: str) -> ApiError:
    """For what this server could not do, and the function has no part in."""
    return ApiError("ServiceException", message, 500, fields={"Type": "Service"})


def check_revision(given: str | None, current: str, *, told_by: str = "GetFunction/GetAlias") -> None:
    """Refuse a change whose RevisionId is not the current one. None, or "", asks for no such check."""
    if given and given != current:
        raise _error(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. "
            f"Call the {told_by} API to retrieve the latest Revision Id",
            412,
        )


def _error(code: str, message: str, status: int) -> ApiError:
    return ApiError(code, message, status, fields={"Type": "User"})
