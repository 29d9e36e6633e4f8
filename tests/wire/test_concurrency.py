"""Concurrency through boto3: the account's limit, what is reserved, what is provisioned."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.apis import Api, Refused, fields, refusal, status
from support.backends import serving_backend
from support.functions import create_function
from support.server import RunningServer, fetch, running

_THROTTLED = Refused("TooManyRequestsException", "Rate Exceeded.", 429)

# An event, or the gateway's request in it, may name a page to fetch, which holds the call for as long as it is held.
_HOLD = """
import os, urllib.request
def handle(event, context):
    asked = event.get("queryStringParameters") or event
    if "page" in asked:
        urllib.request.urlopen(asked["page"], timeout=60).close()
    return {"statusCode": 200, "body": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]}
"""


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running("--ephemeral", environment={"HEADGATE_CONCURRENCY": "102"}) as started:
        yield started


def call(client: Any, name: str, event: str = "{}") -> tuple[str, str]:
    """A call that succeeds: the version that ran, and how its environment was started."""
    answer = client.invoke(FunctionName=name, Payload=event)
    document = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, document
    return answer["ExecutedVersion"], document["body"]


@contextmanager
def held(server: RunningServer, name: str) -> Iterator[None]:
    """A call of this function runs until the end of the block, and then succeeds."""
    client = server.client("lambda")
    with serving_backend() as backend, ThreadPoolExecutor(1) as executor:
        page = json.dumps({"page": f"{backend.url}/hold"})
        running_call = executor.submit(call, client, name, page)
        try:
            backend.wait_for("/hold", 1)
            yield
        finally:
            backend.release()
        running_call.result(60)


def reason(client: Any, name: str) -> str:
    """Why a call is throttled."""
    with pytest.raises(ClientError) as caught:
        client.invoke(FunctionName=name)
    response: Any = caught.value.response
    assert (response["Error"]["Code"], response["Error"]["Message"]) == _THROTTLED[:2]
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Type"]) == (429, "User")
    text: str = response["Reason"]
    return text


def test_above_what_is_reserved_calls_are_refused_at_once(server: RunningServer) -> None:
    client = server.client("lambda")
    create_function(server, "reserved", _HOLD)
    create_function(server, "free", _HOLD)
    put = client.put_function_concurrency(FunctionName="reserved", ReservedConcurrentExecutions=1)

    with held(server, "reserved"):
        refused = reason(client, "reserved")
        call(client, "free")
    call(client, "reserved")

    assert fields(put) == {"ReservedConcurrentExecutions": 1}
    assert refused == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_a_call_that_the_gateway_waits_for_no_longer_keeps_its_place_until_it_ends(server: RunningServer) -> None:
    """What is reserved protects what the function uses: a database does not care who still waits for the answer."""
    client = server.client("lambda")
    arn = create_function(server, "outliving", _HOLD)
    client.put_function_concurrency(FunctionName="outliving", ReservedConcurrentExecutions=1)
    api = Api(server)
    api.function(api.root, arn, timeoutInMillis=200)
    api.deploy("prod")

    call(client, "outliving")  # an environment is there, so that the next call begins at once

    with serving_backend() as backend:
        through_gateway = fetch(f"{api.url('prod')}?page={backend.url}/hold")
        refused = reason(client, "outliving")
        backend.release()

    assert through_gateway.status == 504
    assert refused == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_what_is_reserved_by_one_function_is_missing_to_the_others(server: RunningServer) -> None:
    client = server.client("lambda")
    for name in ("one", "two"):
        create_function(server, name, _HOLD)
    # 102 for the account, of which a hundred have to stay: what can be reserved is two.
    assert refusal(client.put_function_concurrency, FunctionName="one", ReservedConcurrentExecutions=3) == Refused(
        "InvalidParameterValueException",
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
        "its minimum value of [100].",
        400,
    )
    client.put_function_concurrency(FunctionName="one", ReservedConcurrentExecutions=2)

    limits = client.get_account_settings()["AccountLimit"]
    deleted = client.delete_function_concurrency(FunctionName="one")

    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (102, 100)
    assert status(deleted) == 204
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 102


def test_above_the_accounts_limit_calls_are_refused_at_once() -> None:
    with running("--ephemeral", environment={"HEADGATE_CONCURRENCY": "1"}) as server:
        client = server.client("lambda")
        for name in ("one", "two"):
            create_function(server, name, _HOLD)

        with held(server, "one"):
            refused = reason(client, "two")
        call(client, "two")

        assert refused == "ConcurrentInvocationLimitExceeded"


def test_a_reservation_of_none_stops_a_function_for_invoke_and_gateway(server: RunningServer) -> None:
    client = server.client("lambda")
    arn = create_function(server, "stopped", _HOLD)
    api = Api(server)
    api.function(api.root, arn)
    api.deploy("prod")
    before = fetch(api.url("prod")).status
    client.put_function_concurrency(FunctionName="stopped", ReservedConcurrentExecutions=0)

    refused, through_gateway = reason(client, "stopped"), fetch(api.url("prod"))
    client.delete_function_concurrency(FunctionName="stopped")

    assert before == 200
    assert refused == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert through_gateway.status == 500
    call(client, "stopped")


def test_provisioned_environments_start_without_a_call_and_move_with_their_alias(server: RunningServer) -> None:
    client = server.client("lambda")
    create_function(server, "warm", _HOLD, Publish=True)
    client.update_function_configuration(FunctionName="warm", Description="second")
    client.publish_version(FunctionName="warm")
    client.create_alias(FunctionName="warm", Name="live", FunctionVersion="1")
    where = {"FunctionName": "warm", "Qualifier": "live"}

    put = client.put_provisioned_concurrency_config(**where, ProvisionedConcurrentExecutions=2)
    first = until_ready(client, where)
    answer = call(client, "warm:live")
    client.update_alias(FunctionName="warm", Name="live", FunctionVersion="2")
    moved = until_ready(client, where)
    moved_answer = call(client, "warm:live")

    assert status(put) == 202
    assert put["RequestedProvisionedConcurrentExecutions"] == 2
    assert first["AllocatedProvisionedConcurrentExecutions"] == first["AvailableProvisionedConcurrentExecutions"] == 2
    assert answer == ("1", "provisioned-concurrency")
    assert moved["AllocatedProvisionedConcurrentExecutions"] == 2
    assert moved_answer == ("2", "provisioned-concurrency")
    listed = client.list_provisioned_concurrency_configs(FunctionName="warm")["ProvisionedConcurrencyConfigs"]
    assert [(each["FunctionArn"].split(":")[-1], each["Status"]) for each in listed] == [("live", "READY")]
    assert status(client.delete_provisioned_concurrency_config(**where)) == 204
    assert refusal(client.get_provisioned_concurrency_config, **where) == Refused(
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
        404,
    )


def until_ready(client: Any, where: Any) -> Any:
    """The answer once its status is no more that of a start."""
    while (shown := client.get_provisioned_concurrency_config(**where))["Status"] == "IN_PROGRESS":
        pass
    return shown
