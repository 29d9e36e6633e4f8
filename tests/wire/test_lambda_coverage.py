"""Which of Lambda's operations are served: each has a test by its wire, and every other is refused by its name."""

import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.session import get_session

from headgate.control import lambda_
from support.apis import Refused, refusal
from support.functions import ROLE
from support.lambdas import a_function
from support.server import RunningServer

_MODEL: Any = get_session().get_service_model("lambda")
_TESTS = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))


@pytest.mark.parametrize("operation", sorted(lambda_.OPERATIONS))
def test_an_operation_that_is_served_is_called_by_a_test(operation: str) -> None:
    assert re.search(rf"\b{xform_name(operation)}\b", _TESTS)


@pytest.mark.parametrize("operation", sorted(set(_MODEL.operation_names) - set(lambda_.OPERATIONS)))
def test_an_operation_that_is_not_served_is_refused_by_its_name(server: RunningServer, operation: str) -> None:
    client: Any = boto3.client(
        "lambda",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        endpoint_url=server.url,
        # The service is to refuse it, not the client for what is missing.
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    shape = _MODEL.operation_model(operation).input_shape
    in_path = [name for name, member in shape.members.items() if member.serialization.get("location") == "uri"]

    refused = refusal(getattr(client, xform_name(operation)), **dict.fromkeys(in_path, "name"))

    client.close()
    assert refused == Refused(
        "UnsupportedOperationException", f"AWS Lambda: {operation} is not supported by Headgate.", 400
    )


@pytest.mark.parametrize("runtime", ["java21", "dotnet8", "ruby3.4"])
def test_a_runtime_that_is_not_run_is_refused_with_what_is_and_what_to_do(server: RunningServer, runtime: str) -> None:
    client = server.client("lambda")

    refused = refusal(client.update_function_configuration, FunctionName=a_function(server), Runtime=runtime)

    assert (refused.code, refused.status) == ("InvalidParameterValueException", 400)
    assert refused.message.startswith(f"Value {runtime} at 'runtime' failed to satisfy constraint: ")
    assert "an executable bootstrap under provided.al2023" in refused.message


def test_a_container_image_is_refused(server: RunningServer) -> None:
    refused = refusal(
        server.client("lambda").create_function,
        FunctionName="image",
        PackageType="Image",
        Role=ROLE,
        Code={"ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/image:1"},
    )

    assert (refused.code, refused.status) == ("InvalidParameterValueException", 400)
    assert "Image" in refused.message
