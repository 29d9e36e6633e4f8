"""API Gateway's errors, by code."""

from headgate.model.errors import ApiError
from headgate.wire.patch import Patch


def bad_request(message: str) -> ApiError:
    return ApiError("BadRequestException", message, 400)


def nothing_to_remove(patch: Patch) -> ApiError:
    """UpdateStage's words for the removal of what is not there, whatever it is."""
    # The blank at the end is the service's own; Terraform looks for the words before it.
    key = patch.path.removeprefix("/")
    return bad_request(f"Cannot remove method setting {key} because there is no method setting for this method ")


def not_found(message: str) -> ApiError:
    return ApiError("NotFoundException", message, 404)


def conflict(message: str) -> ApiError:
    return ApiError("ConflictException", message, 409)
