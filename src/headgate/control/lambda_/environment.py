"""A function's environment variables: what Lambda refuses of them (aws-semantics 9.1)."""

import re
from collections.abc import Mapping
from typing import Final

import orjson

from headgate.control.lambda_.errors import invalid
from headgate.model.errors import ApiError

MAX_ENVIRONMENT_BYTES: Final = 4096  # of the variables as compact JSON

RESERVED: Final = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
"""The names that the runtime sets (Lambda Developer Guide, "Defined runtime environment variables")."""

_REFUSED: Final = (
    "Lambda was unable to configure your environment variables because the environment variables you have provided"
)


def check_environment(variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables as given. Raises ApiError."""
    # Before the pattern, which some of the reserved names do not fit: theirs is the more telling error.
    if reserved := sorted(RESERVED & variables.keys()):
        raise invalid(
            f"{_REFUSED} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    if not all(_NAME.fullmatch(name) for name in variables):
        raise _bad_name()
    measured = orjson.dumps(variables)
    if len(measured) > MAX_ENVIRONMENT_BYTES:
        raise invalid(f"{_REFUSED} exceeded the 4KB limit. String measured: {measured.decode()}")
    return variables


_NAME: Final = re.compile(r"[a-zA-Z]([a-zA-Z0-9_])+")


def _bad_name() -> ApiError:
    """The service model holds the variables for secret, so the error shows none of them."""
    return ApiError(
        "ValidationException",
        "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must "
        f"satisfy constraint: [Member must satisfy regular expression pattern: {_NAME.pattern}, "
        "Member must not be null]",
    )
