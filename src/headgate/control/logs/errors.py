"""CloudWatch Logs' errors, in the service's own words where they are known."""

from headgate.model.errors import ApiError


def invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)


def constraint(member: str, value: object, rule: str) -> ApiError:
    """In the words of the first layer of validation."""
    return invalid(f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}")


def group_not_found() -> ApiError:
    return ApiError("ResourceNotFoundException", "The specified log group does not exist.")


def stream_not_found() -> ApiError:
    return ApiError("ResourceNotFoundException", "The specified log stream does not exist.")


def not_found(what: str) -> ApiError:
    return ApiError("ResourceNotFoundException", f"The specified {what} does not exist.")


def already_exists(what: str) -> ApiError:
    return ApiError("ResourceAlreadyExistsException", f"The specified {what} already exists")


def limit_exceeded() -> ApiError:
    return ApiError("LimitExceededException", "Resource limit exceeded.")


def busy() -> ApiError:
    return ApiError("ThrottlingException", "Rate exceeded")


def bad_token() -> ApiError:
    return invalid("The specified nextToken is invalid.")
