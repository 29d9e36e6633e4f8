"""Terraform's stock provider, unchanged: apply, an empty plan, a change of the canary, an empty plan, destroy.

Needs `terraform` on PATH and, in TERRAFORM_PLUGIN_DIR, a folder with the provider hashicorp/aws: nothing is downloaded.
"""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from support.server import RunningServer, fetch, running

_EXAMPLES: Final = Path(__file__).parents[2] / "examples"
_PLUGINS: Final = os.environ.get("TERRAFORM_PLUGIN_DIR", "")
_NOTHING_TO_CHANGE: Final = 0

pytestmark = pytest.mark.skipif(
    shutil.which("terraform") is None or not _PLUGINS,
    reason="terraform is not on PATH, or TERRAFORM_PLUGIN_DIR does not name a folder with the provider",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    config = tmp_path_factory.mktemp("config") / "headgate.toml"
    config.write_text('[alarm_webhooks]\noncall = "http://127.0.0.1:9/"\n')
    with running("--ephemeral", "--config", str(config)) as started:
        yield started


class Terraform:
    def __init__(self, folder: Path, server: RunningServer) -> None:
        self._folder = folder
        (folder / "terraform.rc").write_text("")
        self._environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": server.url,
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_CLI_CONFIG_FILE": str(folder / "terraform.rc"),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", arguments[0], "-no-color", *arguments[1:]],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def must(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def test_apply_plan_change_plan_destroy(tmp_path: Path, server: RunningServer) -> None:
    shutil.copy(_EXAMPLES / "terraform" / "main.tf", tmp_path)
    with zipfile.ZipFile(tmp_path / "orders.zip", "w") as archive:
        archive.write(_EXAMPLES / "orders" / "blue.py", "orders.py")
    terraform = Terraform(tmp_path, server)
    terraform.must("init", f"-plugin-dir={_PLUGINS}")

    terraform.must("apply", "-auto-approve")
    api_id = json.loads(terraform.must("output", "-json"))["api"]["value"]

    assert terraform.run("plan", "-detailed-exitcode").returncode == _NOTHING_TO_CHANGE
    stage = server.client("apigateway").get_stage(restApiId=api_id, stageName="prod")
    assert stage["canarySettings"]["percentTraffic"] == 25.0
    assert fetch(server.stage_url(api_id, "prod", "/orders")).json["version"] == "blue"

    terraform.must("apply", "-auto-approve", "-var", "percent=50")

    assert terraform.run("plan", "-detailed-exitcode", "-var", "percent=50").returncode == _NOTHING_TO_CHANGE
    stage = server.client("apigateway").get_stage(restApiId=api_id, stageName="prod")
    assert stage["canarySettings"]["percentTraffic"] == 50.0

    terraform.must("destroy", "-auto-approve")

    assert server.client("apigateway").get_rest_apis()["items"] == []
    assert server.client("lambda").list_functions()["Functions"] == []


def test_alarms_dashboards_and_metric_filters_apply_plan_change_plan_destroy(
    tmp_path: Path, server: RunningServer
) -> None:
    shutil.copy(_EXAMPLES / "terraform" / "alarms" / "main.tf", tmp_path)
    terraform = Terraform(tmp_path, server)
    terraform.must("init", f"-plugin-dir={_PLUGINS}")
    cloudwatch = server.client("cloudwatch")

    terraform.must("apply", "-auto-approve")

    assert terraform.run("plan", "-detailed-exitcode").returncode == _NOTHING_TO_CHANGE
    alarms = cloudwatch.describe_alarms()["MetricAlarms"]
    assert [each["AlarmName"] for each in alarms] == ["orders-errors", "orders-ratio", "orders-slow"]
    [composite] = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert (composite["ActionsSuppressor"], composite["ActionsSuppressorWaitPeriod"]) == ("orders-slow", 60)
    assert [each["DashboardName"] for each in cloudwatch.list_dashboards()["DashboardEntries"]] == ["orders"]

    terraform.must("apply", "-auto-approve", "-var", "threshold=0.1")

    assert terraform.run("plan", "-detailed-exitcode", "-var", "threshold=0.1").returncode == _NOTHING_TO_CHANGE
    [errors] = cloudwatch.describe_alarms(AlarmNames=["orders-errors"])["MetricAlarms"]
    assert errors["Threshold"] == 0.1

    terraform.must("destroy", "-auto-approve")

    assert cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])["MetricAlarms"] == []
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
    assert server.client("logs").describe_log_groups(logGroupNamePrefix="/shop")["logGroups"] == []


def test_sampling_rules_and_groups_apply_plan_change_plan_destroy(tmp_path: Path, server: RunningServer) -> None:
    shutil.copy(_EXAMPLES / "terraform" / "traces" / "main.tf", tmp_path)
    terraform = Terraform(tmp_path, server)
    terraform.must("init", f"-plugin-dir={_PLUGINS}")
    xray = server.client("xray")

    terraform.must("apply", "-auto-approve")

    assert terraform.run("plan", "-detailed-exitcode").returncode == _NOTHING_TO_CHANGE
    assert [each["GroupName"] for each in xray.get_groups()["Groups"]] == ["slow"]

    terraform.must("apply", "-auto-approve", "-var", "share=0.5")

    assert terraform.run("plan", "-detailed-exitcode", "-var", "share=0.5").returncode == _NOTHING_TO_CHANGE
    rules = {each["SamplingRule"]["RuleName"]: each["SamplingRule"] for each in _rules(xray)}
    assert rules["checkout"]["FixedRate"] == 0.5

    terraform.must("destroy", "-auto-approve")

    assert [each["SamplingRule"]["RuleName"] for each in _rules(xray)] == ["Default"]
    assert xray.get_groups()["Groups"] == []


def _rules(xray: Any) -> list[Any]:
    rules: list[Any] = xray.get_sampling_rules()["SamplingRuleRecords"]
    return rules
