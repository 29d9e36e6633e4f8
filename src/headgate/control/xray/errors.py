"""X-Ray's errors."""

from headgate.model.errors import ApiError


def invalid(message: str) -> ApiError:
    return ApiError("InvalidRequestException", message)


def not_found(arn: str) -> ApiError:
    return ApiError("ResourceNotFoundException", f"There is no {arn}", 404, fields={"ResourceName": arn})
