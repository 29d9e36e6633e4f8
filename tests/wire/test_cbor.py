"""CloudWatch over Smithy's RPC v2 with CBOR, spoken by botocore itself: its model is told to offer nothing else."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import botocore
import pytest
from botocore.config import Config
from botocore.session import Session

from support.apis import refusal
from support.server import RunningServer, fetch

_NOON = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def cloudwatch(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """botocore's own client, its model one that only speaks CBOR."""
    data = Path(botocore.__file__).parent / "data"
    [packed] = (data / "cloudwatch").glob("*/service-2.json.gz")
    model = json.loads(gzip.decompress(packed.read_bytes()))
    model["metadata"] |= {"protocol": "smithy-rpc-v2-cbor", "protocols": ["smithy-rpc-v2-cbor"]}
    folder = tmp_path_factory.mktemp("models")
    (folder / "cloudwatch" / packed.parent.name).mkdir(parents=True)
    (folder / "cloudwatch" / packed.parent.name / "service-2.json").write_text(json.dumps(model))
    session = Session()
    session.get_component("data_loader").search_paths.insert(0, str(folder))
    client = session.create_client(
        "cloudwatch",
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    assert client.meta.service_model.resolved_protocol == "smithy-rpc-v2-cbor"
    yield client
    client.close()


def test_metrics_are_put_and_got(cloudwatch: Any) -> None:
    namespace = f"Cbor/{uuid4().hex}"
    dimensions = [{"Name": "Shop", "Value": "ü"}]
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[{"MetricName": "Orders", "Value": 2.5, "Timestamp": _NOON, "Dimensions": dimensions}],
    )

    [point] = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName="Orders",
        Dimensions=dimensions,
        StartTime=_NOON - timedelta(minutes=1),
        EndTime=_NOON + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]

    assert (point["Sum"], point["Timestamp"], point["Unit"]) == (2.5, _NOON, "None")
    [metric] = cloudwatch.list_metrics(Namespace=namespace)["Metrics"]
    assert metric["Dimensions"] == dimensions


def test_alarms_are_put_and_described(cloudwatch: Any) -> None:
    name = f"cbor-{uuid4().hex}"
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Shop",
        MetricName="Orders",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )

    [alarm] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    cloudwatch.delete_alarms(AlarmNames=[name])

    assert (alarm["Threshold"], alarm["ActionsEnabled"], alarm["OKActions"]) == (1.0, True, [])
    assert abs(alarm["StateUpdatedTimestamp"] - datetime.now(UTC)) < timedelta(minutes=1)


def test_errors_have_the_codes_of_the_query_protocol(cloudwatch: Any) -> None:
    unknown = refusal(cloudwatch.set_alarm_state, AlarmName="none", StateValue="OK", StateReason="x")
    unsupported = refusal(cloudwatch.describe_anomaly_detectors)

    assert (unknown.code, unknown.message, unknown.status) == ("ResourceNotFound", "Unknown Alarm: none", 404)
    assert "DescribeAnomalyDetectors is not supported by Headgate" in unsupported.message


def test_an_operation_that_no_service_has_is_refused(server: RunningServer) -> None:
    headers = {"smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}

    answer = fetch(f"{server.url}/service/GraniteServiceVersion20100801/operation/Nothing", "POST", b"\xa0", headers)

    assert answer.status == 404
    assert answer.headers["smithy-protocol"] == "rpc-v2-cbor"
    assert b"UnknownOperationException" in answer.body
