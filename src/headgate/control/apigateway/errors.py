"""API Gateway's errors, by code."""

from headgate.model.errors import ApiError


def bad_request(message: str) -> ApiError:
    return ApiError("BadRequestException", message, 400)


def not_found(message: str) -> ApiError:
    return ApiError("NotFoundException", message, 404)


def conflict(message: str) -> ApiError:
    return ApiError("ConflictException", message, 409)
