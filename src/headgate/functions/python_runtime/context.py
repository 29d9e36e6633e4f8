"""The second argument of a handler, with the names that Lambda gives it."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from .faults import Fault


class CognitoIdentity:
    """Who calls by way of Cognito: nobody, here."""

    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


class Client:
    """The mobile application that calls, as its client context says."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.installation_id = told.get("installation_id")
        self.app_title = told.get("app_title")
        self.app_version_name = told.get("app_version_name")
        self.app_version_code = told.get("app_version_code")
        self.app_package_name = told.get("app_package_name")


class ClientContext:
    """What the caller sent in X-Amz-Client-Context."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.client = Client(told["client"]) if told.get("client") else None
        self.custom = told.get("custom")
        self.env = told.get("env")


class FunctionVariables:
    """What the environment's variables say of the function: read once: a look-up takes long."""

    def __init__(self) -> None:
        variable = os.environ.get
        self.name = variable("AWS_LAMBDA_FUNCTION_NAME")
        self.version = variable("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_mb = variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group = variable("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream = variable("AWS_LAMBDA_LOG_STREAM_NAME")


class LambdaContext:
    """One call, and the function it is a call of."""

    def __init__(
        self, function: FunctionVariables, request_id: str, invoked_arn: str, deadline_ms: int, client_context: str
    ) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = invoked_arn
        self.function_name = function.name
        self.function_version = function.version
        self.memory_limit_in_mb = function.memory_mb
        self.log_group_name = function.log_group
        self.log_stream_name = function.log_stream
        self.identity = CognitoIdentity()
        self.client_context = _parse(client_context) if client_context else None
        self._deadline_ms = deadline_ms  # of CLOCK_MONOTONIC, which all processes of a machine share

    def get_remaining_time_in_millis(self) -> int:
        """How long the call may still take."""
        return max(self._deadline_ms - int(time.monotonic() * 1000), 0)

    def log(self, message: object) -> None:
        """Write to the function's log."""
        print(message, end="")

    def __repr__(self) -> str:
        return (
            f"LambdaContext([aws_request_id={self.aws_request_id},log_group_name={self.log_group_name},"
            f"log_stream_name={self.log_stream_name},function_name={self.function_name},"
            f"memory_limit_in_mb={self.memory_limit_in_mb},function_version={self.function_version},"
            f"invoked_function_arn={self.invoked_function_arn},client_context={self.client_context},"
            f"identity={self.identity}])"
        )


def _parse(client_context: str) -> ClientContext:
    try:
        return ClientContext(json.loads(client_context))
    except (ValueError, AttributeError, TypeError) as error:
        raise Fault("Runtime.LambdaContextUnmarshalError", f"Unable to parse Client Context JSON: {error}") from error
