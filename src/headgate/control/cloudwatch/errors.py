"""CloudWatch's errors, by the codes of its query protocol."""

from headgate.model.errors import ApiError


def invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterValue", message)


def bad_combination(message: str) -> ApiError:
    return ApiError("InvalidParameterCombination", message)


def missing(message: str) -> ApiError:
    return ApiError("MissingParameter", message)


def validation(message: str) -> ApiError:
    return ApiError("ValidationError", message)


def not_found(kind: str, name: str) -> ApiError:
    return ApiError("ResourceNotFound", f"Unknown {kind}: {name}", 404)


def bad_token() -> ApiError:
    return ApiError("InvalidNextToken", "The given NextToken is not one that this operation gave.")
