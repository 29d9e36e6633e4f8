"""The account's settings for API Gateway. Each test has an account of its own."""

from typing import Any

import pytest

from support.apis import bad_request, fields, patches, refusal, status
from support.server import RunningServer

ROLE = "arn:aws:iam::000000000000:role/logs"
DEFAULTS = {
    "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0},
    "features": ["UsagePlans"],
    "apiKeyVersion": "4",
}


def test_an_account_has_the_default_limits_and_no_role(server: RunningServer) -> None:
    answer = server.client("apigateway", access_key="100000000001").get_account()

    assert status(answer) == 200
    assert fields(answer) == DEFAULTS


def test_the_role_for_logs_is_set_and_taken_away(server: RunningServer) -> None:
    client = server.client("apigateway", access_key="100000000002")

    updated = client.update_account(patchOperations=patches(("replace", "/cloudwatchRoleArn", ROLE)))
    shown = client.get_account()
    cleared = client.update_account(patchOperations=patches(("replace", "/cloudwatchRoleArn", "")))

    assert status(updated) == 200
    assert fields(updated) == fields(shown) == {**DEFAULTS, "cloudwatchRoleArn": ROLE}
    assert fields(cleared) == DEFAULTS


@pytest.mark.parametrize(
    ("region", "account"), [("eu-west-1", "100000000003"), ("us-east-1", "100000000004")], ids=["region", "account"]
)
def test_the_role_is_that_of_one_account_in_one_region(server: RunningServer, region: str, account: str) -> None:
    server.client("apigateway", access_key="100000000003").update_account(
        patchOperations=patches(("replace", "/cloudwatchRoleArn", ROLE))
    )

    assert fields(server.client("apigateway", region, account).get_account()) == DEFAULTS


def test_the_feature_that_every_account_has_can_be_added(server: RunningServer) -> None:
    client = server.client("apigateway", access_key="100000000005")

    assert fields(client.update_account(patchOperations=patches(("add", "/features", "UsagePlans")))) == DEFAULTS


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (
            ("replace", "/throttleSettings/rateLimit", "1"),
            (
                "Invalid patch path  '/throttleSettings/rateLimit' specified for op 'replace'. "
                "Must be one of: [/cloudwatchRoleArn]"
            ),
        ),
        (
            ("copy", "/cloudwatchRoleArn", "/features"),
            "Invalid patch path  '/cloudwatchRoleArn' specified for op 'copy'. Please choose supported operations",
        ),
        (("remove", "/features", "UsagePlans"), "Usage Plans cannot be disabled once enabled (UsagePlans)"),
        (("add", "/features", "Other"), "Invalid feature 'Other': give UsagePlans"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_update_refuses(server: RunningServer, operation: tuple[str, ...], expected: str) -> None:
    client: Any = server.client("apigateway", access_key="100000000006")
    operations = patches(("replace", "/cloudwatchRoleArn", ROLE), operation)

    assert refusal(client.update_account, patchOperations=operations) == bad_request(expected)
    assert fields(client.get_account()) == DEFAULTS
