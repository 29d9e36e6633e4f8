"""The aws CLI, version 1, unmodified, with AWS_ENDPOINT_URL alone: the life of an API and its function."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.aws_cli import AwsCli
from support.functions import ROLE, replying, zipped
from support.server import RunningServer, fetch, running

_URI = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """`aws(server, "apigateway get-rest-apis")`; see `AwsCli`."""
    by_url: dict[str, AwsCli] = {}

    def call(server: RunningServer, line: str, *words: str) -> Any:
        if server.url not in by_url:
            by_url[server.url] = AwsCli(server.url, tmp_path)
        return by_url[server.url](line, *words)

    yield call
    for each in by_url.values():
        each.close()


def test_the_aws_cli_makes_edits_deploys_canaries_promotes_rolls_back_and_deletes(
    tmp_path: Path, aws: Callable[..., Any]
) -> None:
    for colour in ("blue", "green"):
        (tmp_path / f"{colour}.zip").write_bytes(zipped(replying(colour)))
    with running("--ephemeral") as server:
        # Makes.
        assert aws(server, "sts get-caller-identity")["Account"] == "000000000000"
        made = "lambda create-function --function-name orders --runtime python3.13 --handler handler.handle"
        function = aws(server, f"{made} --role {ROLE} --zip-file fileb://blue.zip --publish")
        assert (function["State"], function["Version"]) == ("Active", "1")
        aws(server, "lambda create-alias --function-name orders --name blue --function-version 1")
        api = aws(server, "apigateway create-rest-api --name orders")
        rest = f"--rest-api-id {api['id']}"
        resource = aws(
            server, f"apigateway create-resource {rest} --parent-id {api['rootResourceId']} --path-part orders"
        )
        where = f"{rest} --resource-id {resource['id']} --http-method GET"
        aws(server, f"apigateway put-method {where} --authorization-type NONE")
        arn = function["FunctionArn"].removesuffix(":1")
        uri = f"{_URI}{arn}:${{stageVariables.colour}}/invocations"
        aws(server, f"apigateway put-integration {where} --type AWS_PROXY --integration-http-method POST --uri", uri)
        grant = "--statement-id gateway --action lambda:InvokeFunction --principal apigateway.amazonaws.com"
        aws(server, f"lambda add-permission --function-name orders --qualifier blue {grant}")
        first = aws(server, f"apigateway create-deployment {rest} --stage-name prod --variables colour=blue")["id"]
        url = server.stage_url(api["id"], "prod", "/orders")
        assert fetch(url).body == b"blue"

        # Edits: what is not deployed is not seen.
        aws(server, "lambda update-function-code --function-name orders --zip-file fileb://green.zip --publish")
        aws(server, "lambda create-alias --function-name orders --name green --function-version 2")
        aws(server, f"lambda add-permission --function-name orders --qualifier green {grant}")
        edit = "op=replace,path=/timeoutInMillis,value=5000"
        aws(server, f"apigateway update-integration {where} --patch-operations {edit}")
        assert fetch(url).body == b"blue"

        # Canaries.
        settings = json.dumps({"percentTraffic": 50.0, "stageVariableOverrides": {"colour": "green"}})
        second = aws(server, f"apigateway create-deployment {rest} --stage-name prod --canary-settings", settings)["id"]
        stage = f"apigateway update-stage {rest} --stage-name prod --patch-operations"
        shown = aws(server, f"apigateway get-stage {rest} --stage-name prod")
        assert (shown["deploymentId"], shown["canarySettings"]["deploymentId"]) == (first, second)
        assert {fetch(url).body for _ in range(60)} == {b"blue", b"green"}
        aws(server, f"{stage} op=replace,path=/canarySettings/percentTraffic,value=100")
        assert {fetch(url).body for _ in range(10)} == {b"green"}

        # Promotes.
        promoted = aws(
            server,
            stage,
            "op=replace,path=/canarySettings/percentTraffic,value=0",
            "op=copy,from=/canarySettings/deploymentId,path=/deploymentId",
            "op=copy,from=/canarySettings/stageVariableOverrides,path=/variables",
        )
        assert (promoted["deploymentId"], promoted["variables"]) == (second, {"colour": "green"})
        aws(server, f"{stage} op=remove,path=/canarySettings")
        assert {fetch(url).body for _ in range(10)} == {b"green"}

        # Rolls back.
        aws(
            server,
            stage,
            f"op=replace,path=/deploymentId,value={first}",
            "op=replace,path=/variables/colour,value=blue",
        )
        assert {fetch(url).body for _ in range(10)} == {b"blue"}
        listed = aws(server, f"apigateway get-deployments {rest}")["items"]
        assert {each["id"] for each in listed} == {first, second}

        # Deletes.
        aws(server, f"apigateway delete-stage {rest} --stage-name prod")
        assert fetch(url).body == b'{"message":"Missing Authentication Token"}'
        aws(server, f"apigateway delete-rest-api {rest}")
        aws(server, "lambda delete-function --function-name orders")
        assert aws(server, "apigateway get-rest-apis")["items"] == []
        assert aws(server, "lambda list-functions")["Functions"] == []


def test_the_aws_cli_invokes_a_function_and_copies_to_and_from_s3(tmp_path: Path, aws: Callable[..., Any]) -> None:
    (tmp_path / "code.zip").write_bytes(zipped(replying("hello")))
    with running("--ephemeral") as server:
        aws(server, "s3api create-bucket --bucket code")
        aws(server, "s3 cp code.zip s3://code/v1.zip --quiet")
        aws(
            server,
            "lambda create-function --function-name greet --runtime python3.13 --handler handler.handle "
            f"--role {ROLE} --code S3Bucket=code,S3Key=v1.zip",
        )

        invoked = aws(server, "lambda invoke --function-name greet --log-type Tail out.json")
        aws(server, "s3 cp s3://code/v1.zip back.zip --quiet")

        assert invoked["StatusCode"] == 200
        assert json.loads((tmp_path / "out.json").read_text()) == {"statusCode": 200, "body": "hello"}
        assert (tmp_path / "back.zip").read_bytes() == (tmp_path / "code.zip").read_bytes()


def test_the_aws_cli_puts_alarms_and_dashboards(tmp_path: Path, aws: Callable[..., Any]) -> None:
    put = (
        "cloudwatch put-metric-alarm --alarm-name errors --namespace AWS/ApiGateway --metric-name 5XXError "
        "--dimensions Name=ApiName,Value=orders --statistic Average --period 60 --evaluation-periods 3 "
        "--datapoints-to-alarm 2 --threshold 0.05 --comparison-operator GreaterThanThreshold "
        "--treat-missing-data ignore"
    )
    with running("--ephemeral") as server:
        aws(server, put)
        aws(server, "cloudwatch put-composite-alarm --alarm-name all --alarm-rule ALARM(errors)")
        aws(server, "cloudwatch set-alarm-state --alarm-name errors --state-value ALARM --state-reason", "by hand")

        described = aws(server, "cloudwatch describe-alarms --alarm-types MetricAlarm CompositeAlarm")
        history = aws(server, "cloudwatch describe-alarm-history --alarm-name errors --history-item-type StateUpdate")

        assert described["MetricAlarms"][0]["Threshold"] == 0.05
        assert [each["StateValue"] for each in described["CompositeAlarms"]] == ["ALARM"]
        assert [each["HistorySummary"] for each in history["AlarmHistoryItems"]] == [
            "Alarm updated from INSUFFICIENT_DATA to ALARM"
        ]
        aws(server, "cloudwatch put-dashboard --dashboard-name orders --dashboard-body", '{"widgets": []}')
        assert aws(server, "cloudwatch list-dashboards")["DashboardEntries"][0]["DashboardName"] == "orders"
