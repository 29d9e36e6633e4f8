"""UpdateStage: every path a patch may take, the refusals of the others, and what Terraform sends (aws-semantics 1)."""

from typing import Any

import pytest

from support.apis import VARIABLE_VALUES, Api, Refused, bad_request, control, fields, patches, refusal, status
from support.backends import serving_backend

LOG_GROUP = "arn:aws:logs:us-east-1:000000000000:log-group:access"
FIREHOSE = "arn:aws:firehose:us-east-1:000000000000:deliverystream/"
FORMAT = "$context.requestId $context.status"
# The missing separators are the service's own.
KNOWN_PATHS = (
    "[/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, "
    "/accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, "
    "/{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, "
    "/{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit/"
    "{resourcePath}/{httpMethod}/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled, "
    "/{resourcePath}/{httpMethod}/caching/dataEncrypted, "
    "/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, "
    "/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, "
    "/*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit "
    "/*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, "
    "/*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, "
    "/variables/{variable_name}, /tracingEnabled]"
)
LOG_PATHS = (
    "Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]"
)


def refused_patch(api: Api, *operations: tuple[str, ...]) -> Refused:
    return refusal(api.client.update_stage, restApiId=api.id, stageName="prod", patchOperations=patches(*operations))


def unknown(path: str) -> Refused:
    return bad_request(f"Invalid method setting path: {path}. Must be one of: {KNOWN_PATHS}")


def nothing_to_remove(key: str) -> Refused:
    return bad_request(f"Cannot remove method setting {key} because there is no method setting for this method ")


def undated(stage: Any) -> dict[str, Any]:
    return {name: value for name, value in fields(stage).items() if name != "lastUpdatedDate"}


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        (("replace", "/description", "new"), {"description": "new"}),
        (("replace", "/description", ""), {}),
        (("replace", "/clientCertificateId", "abc123"), {"clientCertificateId": "abc123"}),
        (("replace", "/clientCertificateId", ""), {}),
        (("replace", "/documentationVersion", "v1"), {"documentationVersion": "v1"}),
        (("replace", "/tracingEnabled", "true"), {"tracingEnabled": True}),
        (("replace", "/tracingEnabled", "yes"), {"tracingEnabled": False}),
        (
            ("replace", "/cacheClusterEnabled", "true"),
            {"cacheClusterEnabled": True, "cacheClusterSize": "0.5", "cacheClusterStatus": "AVAILABLE"},
        ),
        (("replace", "/cacheClusterSize", "237"), {"cacheClusterSize": "237"}),
        (("replace", "/variables/v", "1"), {"variables": {"v": "1"}}),
        (("replace", "/variables/v", ""), {"variables": {"v": ""}}),
        (
            ("replace", "/accessLogSettings/destinationArn", LOG_GROUP),
            {"accessLogSettings": {"destinationArn": LOG_GROUP}},
        ),
        (
            ("add", "/accessLogSettings/destinationArn", f"{LOG_GROUP}:*"),
            {"accessLogSettings": {"destinationArn": LOG_GROUP}},
        ),
        (
            ("replace", "/accessLogSettings/destinationArn", f"{FIREHOSE}amazon-apigateway-x"),
            {"accessLogSettings": {"destinationArn": f"{FIREHOSE}amazon-apigateway-x"}},
        ),
        (("replace", "/accessLogSettings/format", FORMAT), {"accessLogSettings": {"format": FORMAT}}),
        (
            ("add", "/accessLogSettings/format", "$context.extendedRequestId"),
            {"accessLogSettings": {"format": "$context.extendedRequestId"}},
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_update(staged: Api, operation: tuple[str, ...], changed: dict[str, Any]) -> None:
    before = staged.stage()

    answer = staged.patch_stage("prod", operation)

    assert status(answer) == 200
    assert undated(answer) == undated(staged.stage()) == {**undated(before), **changed}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (("replace", "/variables/v", "1"), ("remove", "/variables/v")),
        (("replace", "/accessLogSettings/format", FORMAT), ("remove", "/accessLogSettings")),
        (("replace", "/canarySettings/percentTraffic", "10"), ("remove", "/canarySettings")),
        (("replace", "/*/*/metrics/enabled", "true"), ("remove", "/*/*")),
        (("replace", "/description", "x"), ("replace", "/description", "")),
    ],
    ids=lambda value: " ".join(value[:2]),
)
def test_update_takes_away(staged: Api, first: tuple[str, ...], then: tuple[str, ...]) -> None:
    before = staged.stage()
    staged.patch_stage("prod", first)

    answer = staged.patch_stage("prod", then)

    assert undated(answer) == undated(before)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/stageName",
        "/documentation_version",
        "/tags/x",
        "/webAclArn",
        "/methodSettings",
        "/variables",
        "/canarySettings",
        "/canarySettings/badPath",
        "/canarySettings/stageVariableOverrides",
        "/accessLogSettings",
        "/deploymentId/x",
        "description",
        "",
        "/",
        "/*/*",
        "/*/*/metrics",
        "/*/*/metrics/nothing",
        "/*/*/throttling/burst",
        "/*/GET/metrics/enabled",
        "/*/FOO/metrics/enabled",
        "/pets/get/metrics/enabled",
        "badpath/GET/metrics/enabled",
    ],
)
def test_replace_of_an_unknown_path_is_refused_with_the_long_list(staged: Api, path: str) -> None:
    assert refused_patch(staged, ("replace", path, "true")) == unknown(path)


@pytest.mark.parametrize(
    "path",
    [
        "/*/*",
        "/pets/GET",
        "/variables/v",
        "/accessLogSettings",
        "/accessLogSettings/format",
        "/accessLogSettings/destinationArn",
        "/canarySettings",
        "/canarySettings/stageVariableOverrides",
        "/canarySettings/badPath",
        "/description",
        "/nothing",
        "/*/*/metrics/enabled",
    ],
)
def test_remove_of_what_is_not_there_is_refused_as_a_method_setting(staged: Api, path: str) -> None:
    assert refused_patch(staged, ("remove", path)) == nothing_to_remove(path.removeprefix("/"))


@pytest.mark.parametrize("child", ["format", "destinationArn"])
def test_a_part_of_the_access_log_cannot_be_removed(staged: Api, child: str) -> None:
    staged.patch_stage("prod", ("replace", "/accessLogSettings/format", FORMAT))

    refused = refused_patch(staged, ("remove", f"/accessLogSettings/{child}"))

    assert refused == nothing_to_remove(f"accessLogSettings/{child}")


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (("replace", "/deploymentId", "wrong1"), "Deployment id does not exist"),
        (("replace", "/deploymentId", ""), "Deployment id does not exist"),
        (("replace", "/deploymentId"), "Deployment id does not exist"),
        (("add", "/description", "x"), "Invalid add operation with path: /description"),
        (("add", "/canarySettings/deploymentId", "x"), "Invalid add operation with path: /canarySettings/deploymentId"),
        (("replace", "/accessLogSettings/wrong", "x"), LOG_PATHS),
        (("replace", "/accessLogSettings/format", ""), "Access Log value must not be empty"),
        (("replace", "/accessLogSettings/destinationArn", ""), "Access Log value must not be empty"),
        (("replace", "/accessLogSettings/destinationArn"), "Access Log value must not be empty"),
        (
            ("replace", "/accessLogSettings/format", "$context.status"),
            "Access Log format must include either $context.requestId or $context.extendedRequestId",
        ),
        (
            ("replace", "/accessLogSettings/destinationArn", "arn:aws:sns:us-east-1:000000000000:topic"),
            "The ARN must be a valid CloudWatch Logs log group or Kinesis Data Firehose delivery stream",
        ),
        (
            ("replace", "/accessLogSettings/destinationArn", f"{FIREHOSE}other"),
            "Kinesis Firehose delivery stream name must begin with the characters 'amazon-apigateway-'",
        ),
        (
            ("replace", "/variables/a-b", "x"),
            "Invalid stage variable name: a-b. Please use names with only word characters.",
        ),
        (("replace", "/variables/v", "a!"), f"Invalid stage variable value: a!.  {VARIABLE_VALUES}"),
        (
            ("replace", "/cacheClusterSize", "3"),
            "Invalid cacheClusterSize 3: give one of 0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118, 237",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_update_refuses(staged: Api, operation: tuple[str, ...], message: str) -> None:
    assert refused_patch(staged, operation) == bad_request(message)


@pytest.mark.parametrize("op", ["move", "test"])
def test_no_path_can_be_moved_or_tested(staged: Api, op: str) -> None:
    assert refused_patch(staged, (op, "/description", "x")).code == "BadRequestException"


def test_a_patch_without_a_path_is_refused(staged: Api) -> None:
    refused = refusal(
        staged.client.update_stage, restApiId=staged.id, stageName="prod", patchOperations=[{"op": "replace"}]
    )

    assert refused == bad_request("Invalid patch path null")


@pytest.mark.parametrize("count", [1, 2])
def test_an_unknown_op_is_told_for_each_operation(staged: Api, count: int) -> None:
    told = "; ".join(
        f"Value 'wrong_op' at 'updateStageInput.patchOperations.{number}.member.op' failed to satisfy constraint: "
        "Member must satisfy enum value set: [add, remove, move, test, replace, copy]"
        for number in range(1, count + 1)
    )

    refused = refused_patch(staged, *[("wrong_op", "/description", "x")] * count)

    errors = "error" if count == 1 else "errors"
    assert refused == Refused("ValidationException", f"{count} validation {errors} detected: {told}", 400)


def test_an_update_with_no_operations_changes_nothing(staged: Api) -> None:
    before = staged.stage()

    answer = staged.client.update_stage(restApiId=staged.id, stageName="prod")

    assert undated(answer) == undated(before)


def test_operations_apply_in_their_order(staged: Api) -> None:
    answer = staged.patch_stage(
        "prod",
        ("replace", "/variables/v", "1"),
        ("replace", "/variables/v", "2"),
        ("replace", "/variables/w", "3"),
        ("remove", "/variables/w"),
    )

    assert answer["variables"] == {"v": "2"}


@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_refused_operation_undoes_them_all_wherever_it_stands(staged: Api, position: int) -> None:
    before = staged.stage()
    operations: list[tuple[str, ...]] = [
        ("replace", "/description", "new"),
        ("replace", "/*/*/metrics/enabled", "true"),
    ]
    operations.insert(position, ("replace", "/nothing", "x"))

    assert refused_patch(staged, *operations) == unknown("/nothing")
    assert staged.stage() == before


def test_an_unknown_deployment_undoes_what_stands_beside_it(staged: Api) -> None:
    before = staged.stage()

    refused_patch(staged, ("replace", "/description", "new"), ("replace", "/deploymentId", "wrong1"))

    assert staged.stage() == before
    assert staged.get().body == b"one"


def test_a_cache_that_is_switched_off_keeps_its_size(staged: Api) -> None:
    staged.patch_stage("prod", ("replace", "/cacheClusterEnabled", "true"), ("replace", "/cacheClusterSize", "1.6"))

    answer = staged.patch_stage("prod", ("replace", "/cacheClusterEnabled", "false"))

    shown = (answer["cacheClusterEnabled"], answer["cacheClusterSize"], answer["cacheClusterStatus"])
    assert shown == (False, "1.6", "NOT_AVAILABLE")


def test_a_changed_variable_is_seen_by_the_next_request(api: Api) -> None:
    api.mock(api.root, headers={"variable": "stageVariables.v"})
    api.deploy("prod", variables={"v": "1"})

    seen = [api.get().headers["variable"]]
    for value in ("2", "3"):
        api.patch_stage("prod", ("replace", "/variables/v", value))
        seen.append(api.get().headers["variable"])

    assert seen == ["1", "2", "3"]


def test_a_variable_in_an_integration_s_uri_moves_the_traffic_at_once(api: Api) -> None:
    with serving_backend() as first, serving_backend() as second:
        api.http_proxy(api.root, "http://${stageVariables.host}/status/202")
        api.deploy("prod", variables={"host": first.url.removeprefix("http://")})

        api.get()
        api.patch_stage("prod", ("replace", "/variables/host", second.url.removeprefix("http://")))
        moved = api.get()

        assert moved.status == 202
        assert (first.count("/status"), second.count("/status")) == (1, 1)


class TestTerraform:
    """The sequences of aws-semantics 1.5, as the provider sends them."""

    def test_an_update_with_everything(self, staged: Api) -> None:
        staged.patch_stage("prod", ("replace", "/variables/old", "1"))
        second = staged.deploy()

        answer = staged.patch_stage(
            "prod",
            ("replace", "/cacheClusterEnabled", "true"),
            ("replace", "/cacheClusterSize", "0.5"),
            ("replace", "/clientCertificateId", "abc123"),
            ("replace", "/canarySettings/percentTraffic", "33.330000"),
            ("replace", "/canarySettings/deploymentId", second),
            ("replace", "/canarySettings/stageVariableOverrides/v", "canary"),
            ("replace", "/canarySettings/useStageCache", "true"),
            ("replace", "/deploymentId", second),
            ("replace", "/description", "new"),
            ("replace", "/tracingEnabled", "true"),
            ("replace", "/documentationVersion", "v1"),
            ("remove", "/variables/old"),
            ("replace", "/variables/v", "1"),
            ("replace", "/accessLogSettings/destinationArn", LOG_GROUP),
            ("replace", "/accessLogSettings/format", FORMAT),
        )

        assert undated(answer) == {
            "stageName": "prod",
            "deploymentId": second,
            "description": "new",
            "cacheClusterEnabled": True,
            "cacheClusterSize": "0.5",
            "cacheClusterStatus": "AVAILABLE",
            "clientCertificateId": "abc123",
            "canarySettings": {
                "deploymentId": second,
                "percentTraffic": 33.33,
                "stageVariableOverrides": {"v": "canary"},
                "useStageCache": True,
            },
            "tracingEnabled": True,
            "documentationVersion": "v1",
            "variables": {"v": "1"},
            "accessLogSettings": {"destinationArn": LOG_GROUP, "format": FORMAT},
            "methodSettings": {},
            "createdDate": answer["createdDate"],
        }

    def test_percent_traffic_comes_back_as_a_number(self, staged: Api) -> None:
        path = f"/restapis/{staged.id}/stages/prod"
        operation = {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "25.000000"}

        answer = control(staged.server, "PATCH", path, {"patchOperations": [operation]})

        assert answer.status == 200
        assert b'"percentTraffic":25.0,' in answer.body.replace(b" ", b"")

    def test_method_settings_with_numbers_as_terraform_prints_them(self, staged: Api) -> None:
        answer = staged.patch_stage(
            "prod",
            ("replace", "/*/*/metrics/enabled", "true"),
            ("replace", "/*/*/logging/loglevel", "INFO"),
            ("replace", "/*/*/logging/dataTrace", "true"),
            ("replace", "/*/*/throttling/burstLimit", "-1"),
            ("replace", "/*/*/throttling/rateLimit", "10000.000000"),
            ("replace", "/*/*/caching/ttlInSeconds", "300"),
        )

        entry = answer["methodSettings"]["*/*"]
        assert (entry["throttlingBurstLimit"], entry["throttlingRateLimit"]) == (-1, 10000.0)
        assert (entry["metricsEnabled"], entry["loggingLevel"], entry["dataTraceEnabled"]) == (True, "INFO", True)

    def test_destroy_of_method_settings_and_of_those_that_are_gone(self, staged: Api) -> None:
        staged.patch_stage("prod", ("replace", "/*/*/metrics/enabled", "true"))

        removed = staged.patch_stage("prod", ("remove", "/*/*"))
        again = refused_patch(staged, ("remove", "/*/*"))

        assert removed["methodSettings"] == {}
        # The provider looks for these words, and takes them for success.
        assert "no method setting for this method" in again.message
