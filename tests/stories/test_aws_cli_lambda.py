"""The aws CLI, version 1, unmodified: every noun of Lambda, made, read, changed and deleted."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from support.aws_cli import AwsCli
from support.functions import ROLE, replying, zipped
from support.server import running

_FN = "--function-name orders"
Ask = Callable[..., list[Any]]


def test_the_aws_cli_drives_every_noun_of_lambda(tmp_path: Path) -> None:
    (tmp_path / "one.zip").write_bytes(zipped(replying("one")))
    (tmp_path / "two.zip").write_bytes(zipped(replying("two")))
    (tmp_path / "layer.zip").write_bytes(zipped("shared = True\n"))
    (tmp_path / "event.json").write_text("{}")
    with running("--ephemeral") as server, closing(AwsCli(server.url, tmp_path)) as aws:

        def ask(*lines: str) -> list[Any]:
            """The answers to these commands, of `aws lambda` where they name no service."""
            return [aws(line if line.startswith("sqs ") else f"lambda {line}") for line in lines]

        _versions_and_aliases(ask)
        _calls(ask, tmp_path)
        _concurrency(ask)
        _layers(ask)
        _urls_mappings_and_tags(ask, server.url)
        _signing_and_runtime_management(ask)
        *_, functions = ask(f"delete-alias {_FN} --name live", f"delete-function {_FN}", "list-functions")

        assert functions["Functions"] == []


def _versions_and_aliases(ask: Ask) -> None:
    grant = "--statement-id s --action lambda:InvokeFunction --principal sns.amazonaws.com"
    alias, aliases, versions, _, policy, settings, _ = ask(
        f"create-function {_FN} --runtime python3.13 --handler handler.handle --role {ROLE} --zip-file fileb://one.zip",
        f"wait function-active-v2 {_FN}",
        f"publish-version {_FN}",
        f"update-function-code {_FN} --zip-file fileb://two.zip",
        f"publish-version {_FN} --description two",
        f"create-alias {_FN} --name live --function-version 1",
        f'update-alias {_FN} --name live --routing-config {{"AdditionalVersionWeights":{{"2":0.1}}}}',
        f"get-alias {_FN} --name live",
        f"list-aliases {_FN}",
        f"list-versions-by-function {_FN}",
        f"add-permission {_FN} --qualifier live {grant}",
        f"get-policy {_FN} --qualifier live",
        "get-account-settings",
        f"remove-permission {_FN} --qualifier live --statement-id s",
    )[7:]

    assert alias["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}}
    assert [each["Name"] for each in aliases["Aliases"]] == ["live"]
    assert [each["Version"] for each in versions["Versions"]] == ["$LATEST", "1", "2"]
    assert json.loads(policy["Policy"])["Statement"][0]["Sid"] == "s"
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000


def _calls(ask: Ask, folder: Path) -> None:
    called, queued, dry, asynchronous, _, config, configs, _ = ask(
        f"invoke {_FN} --qualifier 1 called.json",
        f"invoke {_FN} --invocation-type Event queued.json",
        f"invoke {_FN} --invocation-type DryRun dry.json",
        f"invoke-async {_FN} --invoke-args event.json",
        f"put-function-event-invoke-config {_FN} --maximum-retry-attempts 1",
        f"update-function-event-invoke-config {_FN} --maximum-event-age-in-seconds 120",
        f"list-function-event-invoke-configs {_FN}",
        f"delete-function-event-invoke-config {_FN}",
    )

    assert [each.get("StatusCode") or each["Status"] for each in (called, queued, dry, asynchronous)] == [
        200, 202, 204, 202,
    ]  # fmt: skip
    assert json.loads((folder / "called.json").read_text())["body"] == "one"
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (1, 120)
    assert len(configs["FunctionEventInvokeConfigs"]) == 1


def _concurrency(ask: Ask) -> None:
    _, reserved, _, _, provisioned, listed, _ = ask(
        f"put-function-concurrency {_FN} --reserved-concurrent-executions 5",
        f"get-function-concurrency {_FN}",
        f"delete-function-concurrency {_FN}",
        f"put-provisioned-concurrency-config {_FN} --qualifier 2 --provisioned-concurrent-executions 1",
        f"get-provisioned-concurrency-config {_FN} --qualifier 2",
        f"list-provisioned-concurrency-configs {_FN}",
        f"delete-provisioned-concurrency-config {_FN} --qualifier 2",
    )

    assert reserved == {"ReservedConcurrentExecutions": 5}
    assert provisioned["RequestedProvisionedConcurrentExecutions"] == 1
    assert len(listed["ProvisionedConcurrencyConfigs"]) == 1


def _layers(ask: Ask) -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:layer:shared:1"
    layer = "--layer-name shared --version-number 1"
    published, used, layers, versions, by_arn, _, policy, *_ = ask(
        "publish-layer-version --layer-name shared --zip-file fileb://layer.zip",
        f"update-function-configuration {_FN} --layers {arn}",
        "list-layers",
        "list-layer-versions --layer-name shared",
        f"get-layer-version-by-arn --arn {arn}",
        f"add-layer-version-permission {layer} --statement-id s --action lambda:GetLayerVersion --principal *",
        f"get-layer-version-policy {layer}",
        f"remove-layer-version-permission {layer} --statement-id s",
        f"get-layer-version {layer}",
        f"delete-layer-version {layer}",
    )

    assert published["LayerVersionArn"] == by_arn["LayerVersionArn"] == arn
    assert [each["Arn"] for each in used["Layers"]] == [arn]
    assert [each["LayerName"] for each in layers["Layers"]] == ["shared"]
    assert [each["Version"] for each in versions["LayerVersions"]] == [1]
    assert json.loads(policy["Policy"])["Statement"][0]["Sid"] == "s"


def _urls_mappings_and_tags(ask: Ask, url: str) -> None:
    function = "arn:aws:lambda:us-east-1:000000000000:function:orders"
    _, changed, urls, _, _, tags, _ = ask(
        f"create-function-url-config {_FN} --auth-type NONE",
        f"update-function-url-config {_FN} --auth-type AWS_IAM",
        f"list-function-url-configs {_FN}",
        f"delete-function-url-config {_FN}",
        f"tag-resource --resource {function} --tags team=orders",
        f"list-tags --resource {function}",
        f"untag-resource --resource {function} --tag-keys team",
    )
    assert changed["AuthType"] == "AWS_IAM"
    assert len(urls["FunctionUrlConfigs"]) == 1
    assert tags == {"Tags": {"team": "orders"}}

    queue = "arn:aws:sqs:us-east-1:000000000000:orders"
    _, mapping = ask(
        f"sqs create-queue --queue-name orders --endpoint-url {url}",  # by itself it asks an old host of its own
        f"create-event-source-mapping {_FN} --event-source-arn {queue} --batch-size 5",
    )
    changed, listed, _, _ = ask(
        f"update-event-source-mapping --uuid {mapping['UUID']} --no-enabled",
        f"list-event-source-mappings {_FN}",
        f"get-event-source-mapping --uuid {mapping['UUID']}",
        f"delete-event-source-mapping --uuid {mapping['UUID']}",
    )
    assert changed["State"] in {"Disabling", "Disabled"}
    assert [each["BatchSize"] for each in listed["EventSourceMappings"]] == [5]


def _signing_and_runtime_management(ask: Ask) -> None:
    profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/orders/1234567890"
    (made,) = ask(f"create-code-signing-config --allowed-publishers SigningProfileVersionArns={profile}")
    arn = made["CodeSigningConfig"]["CodeSigningConfigArn"]
    config = f"--code-signing-config-arn {arn}"
    _, used, users, _, _, managed = ask(
        f"put-function-code-signing-config {_FN} {config}",
        f"get-function-code-signing-config {_FN}",
        f"list-functions-by-code-signing-config {config}",
        f"delete-function-code-signing-config {_FN}",
        f"delete-code-signing-config {config}",
        f"put-runtime-management-config {_FN} --update-runtime-on FunctionUpdate",
    )

    assert used["CodeSigningConfigArn"] == arn
    assert users["FunctionArns"] == ["arn:aws:lambda:us-east-1:000000000000:function:orders"]
    assert managed["UpdateRuntimeOn"] == "FunctionUpdate"
