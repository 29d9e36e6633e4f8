"""What is found of a request by its id: its lines by one query of Logs Insights, its trace by one of X-Ray."""

import time
from typing import Any

from support.apis import Api
from support.server import RunningServer

_WAIT_S = 60


def sample_everything(server: RunningServer) -> None:
    """From now on every request of a tracing stage is traced."""
    rule = {"RuleName": "all", "Priority": 1, "FixedRate": 1.0, "ReservoirSize": 0, "Version": 1}
    wild = dict.fromkeys(("ResourceARN", "ServiceName", "ServiceType", "Host", "HTTPMethod", "URLPath"), "*")
    server.client("xray").create_sampling_rule(SamplingRule=rule | wild)


def observe(api: Api, group: str = "shop-access") -> None:
    """Trace the stage `prod`, and log its requests: an access log of this group, and an execution log at INFO."""
    api.patch_stage(
        "prod",
        ("replace", "/tracingEnabled", "true"),
        (
            "replace",
            "/accessLogSettings/destinationArn",
            f"arn:aws:logs:us-east-1:000000000000:log-group:{group}",
        ),
        (
            "replace",
            "/accessLogSettings/format",
            '{"requestId":"$context.requestId","status":"$context.status","trace":"$context.xrayTraceId"}',
        ),
        ("replace", "/*/*/logging/loglevel", "INFO"),
    )


def summaries(server: RunningServer, expression: str) -> list[Any]:
    """What one query for traces finds."""
    now = time.time()
    answer = server.client("xray").get_trace_summaries(
        StartTime=now - 3600, EndTime=now + 1, FilterExpression=expression
    )
    found: list[Any] = answer["TraceSummaries"]
    return found


def everything_of(
    server: RunningServer, api: Api, request_id: str, group: str = "shop-access"
) -> tuple[list[str], list[Any]]:
    """The lines and the traces of one request, by one query each."""
    groups = [group, f"API-Gateway-Execution-Logs_{api.id}/prod"]
    query = f'fields @timestamp, @message | filter @message like "{request_id}" | sort @timestamp asc | limit 100'
    lines = [row["@message"] for row in _queried(server, groups, query)]
    return sorted(lines), summaries(server, f'annotation.request_id = "{request_id}"')


def _queried(server: RunningServer, groups: list[str], query: str) -> list[dict[str, str]]:
    logs = server.client("logs")
    now = int(time.time())
    started = logs.start_query(logGroupNames=groups, startTime=now - 3600, endTime=now + 60, queryString=query)
    end = time.monotonic() + _WAIT_S
    while (answer := logs.get_query_results(queryId=started["queryId"]))["status"] in {"Scheduled", "Running"}:
        assert time.monotonic() < end, answer["status"]
    assert answer["status"] == "Complete"
    return [{field["field"]: field["value"] for field in row} for row in answer["results"]]
