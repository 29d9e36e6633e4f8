"""Traffic turns bad: who is told, and what is found of one bad request. All of it after a crash."""

from pathlib import Path

from support.apis import Api
from support.functions import create_function
from support.receivers import receiving
from support.server import closing, start
from support.traces import everything_of, observe, sample_everything

_ORDERS = """
def handle(event, context):
    if event["path"] == "/bad":
        raise ValueError("no stock")
    return {"statusCode": 200, "body": "good"}
"""


def test_bad_traffic_raises_one_alarm_and_each_bad_request_is_found_by_its_id_after_a_crash_too(
    tmp_path: Path,
) -> None:
    with receiving() as receiver:
        (tmp_path / "headgate.toml").write_text(
            f'port = 0\ngateway_port = 0\ndata = "data"\n[alarm_webhooks]\noncall = "{receiver.url}"\n',
            encoding="utf-8",
        )
        with closing(start(folder=tmp_path)) as server:
            sample_everything(server)
            api = Api(server, "orders")
            arn = create_function(server, "orders", _ORDERS, Timeout=30)
            for path in ("good", "bad"):
                api.function(api.resource(path), arn, "GET")
            api.deploy("prod")
            observe(api)
            for _ in range(19):
                assert api.get(path="/good").status == 200
            bad_id = api.get(path="/bad").headers["x-amzn-requestid"]
            server.client("cloudwatch").put_metric_alarm(
                AlarmName="bad orders",
                Namespace="AWS/ApiGateway",
                MetricName="5XXError",
                Dimensions=[{"Name": "ApiName", "Value": "orders"}],
                Statistic="Average",
                Period=10,
                EvaluationPeriods=1,
                Threshold=0.01,
                ComparisonOperator="GreaterThanOrEqualToThreshold",
                TreatMissingData="ignore",  # so that it stays as it is once the traffic has ended
                AlarmActions=["arn:aws:headgate:::webhook/oncall"],
            )
            before = everything_of(server, api, bad_id)
            server.client("cloudwatch").list_metrics()  # what is counted is stored when this is answered
            server.kill()

        with closing(start(folder=tmp_path)) as server:
            alarm = receiver.next(lambda posted: posted.json["detail"]["state"]["value"] == "ALARM")
            after = everything_of(server, api, bad_id)
            history = server.client("cloudwatch").describe_alarm_history(HistoryItemType="StateUpdate")

        lines, traces = after
        assert alarm.json["resources"] == ["arn:aws:cloudwatch:us-east-1:000000000000:alarm:bad orders"]
        assert sum("to ALARM" in each["HistorySummary"] for each in history["AlarmHistoryItems"]) == 1
        assert after == before
        assert any("no stock" in line for line in lines)
        assert [trace["HasFault"] for trace in traces] == [True]
