"""Functions' lines in CloudWatch Logs: by the API, by the AWS CLI, and after a crash."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing as closing_database
from pathlib import Path
from typing import Any

from support.functions import ROLE, create_function, zipped
from support.server import RunningServer, closing, data_options, fetch, launch, running

_WAIT_S = 60
_SPEAKING = 'def handle(event, context):\n    print("line", event["n"])\n    return context.log_stream_name\n'


def _invoke(server: RunningServer, name: str, number: int) -> str:
    """A call that prints `line {number}`; the name of its log stream."""
    answer = server.client("lambda").invoke(FunctionName=name, Payload=json.dumps({"n": number}))
    stream: str = json.loads(answer["Payload"].read())
    return stream


def _events(server: RunningServer, group: str, **options: Any) -> list[Any]:
    pages = server.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group, **options)
    return [event for page in pages for event in page["events"]]


def _printed(server: RunningServer, group: str) -> list[int]:
    return [int(event["message"].split()[1]) for event in _events(server, group, filterPattern="line")]


def test_a_function_s_lines_are_in_its_group_when_its_call_was_answered() -> None:
    with running("--ephemeral") as server:
        create_function(server, "speaking", _SPEAKING)
        create_function(server, "elsewhere", _SPEAKING, LoggingConfig={"LogGroup": "/shared/group"})

        stream = _invoke(server, "speaking", 1)
        _invoke(server, "elsewhere", 2)

        events = _events(server, "/aws/lambda/speaking")
        assert {event["logStreamName"] for event in events} == {stream}
        assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
        assert [event["message"].split()[0] for event in events] == ["INIT_START", "START", "line", "END", "REPORT"]
        assert _printed(server, "/shared/group") == [2]
        groups = server.client("logs").describe_log_groups()["logGroups"]
        assert [group["logGroupName"] for group in groups] == ["/aws/lambda/speaking", "/shared/group"]


def test_a_function_of_another_account_and_region_logs_there() -> None:
    with running("--ephemeral") as server:
        other = server.client("lambda", "eu-west-1", "111111111111")
        other.create_function(
            FunctionName="far",
            Runtime="python3.13",
            Role=ROLE,
            Handler="handler.handle",
            Code={"ZipFile": zipped(_SPEAKING)},
        )
        other.invoke(FunctionName="far", Payload=b'{"n": 1}')

        there = server.client("logs", "eu-west-1", "111111111111").describe_log_groups()["logGroups"]
        assert [group["arn"] for group in there] == ["arn:aws:logs:eu-west-1:111111111111:log-group:/aws/lambda/far:*"]
        assert server.client("logs").describe_log_groups()["logGroups"] == []


def test_a_group_that_is_deleted_is_made_anew_by_the_next_call() -> None:
    with running("--ephemeral") as server:
        create_function(server, "speaking", _SPEAKING)
        _invoke(server, "speaking", 1)
        server.client("logs").delete_log_group(logGroupName="/aws/lambda/speaking")

        _invoke(server, "speaking", 2)

        assert _printed(server, "/aws/lambda/speaking") == [2]


def test_a_reset_takes_all_logs_away() -> None:
    with running("--ephemeral") as server:
        create_function(server, "speaking", _SPEAKING)
        _invoke(server, "speaking", 1)

        assert fetch(f"{server.url}/_headgate/reset", "POST").status == 200

        assert server.client("logs").describe_log_groups()["logGroups"] == []


def _stored(folder: Path) -> int:
    """How many printed lines are in the file: nobody is asked, as whoever is asked writes them first."""
    with closing_database(sqlite3.connect(folder / "logs.db")) as database:
        return int(database.execute("SELECT count(*) FROM event WHERE message LIKE 'line %'").fetchone()[0])


def test_after_kill_9_what_was_put_is_there_and_functions_lines_but_for_those_not_written_yet(tmp_path: Path) -> None:
    with closing(launch(*data_options(tmp_path))) as server:
        create_function(server, "speaking", _SPEAKING)
        logs = server.client("logs")
        logs.create_log_group(logGroupName="own")
        logs.create_log_stream(logGroupName="own", logStreamName="s")
        answered = 0
        deadline = time.monotonic() + _WAIT_S
        while (stored := _stored(tmp_path)) < 20:  # the server writes them by itself
            assert time.monotonic() < deadline, stored
            _invoke(server, "speaking", answered)
            answered += 1
        event = {"timestamp": int(time.time() * 1000), "message": "put"}
        logs.put_log_events(logGroupName="own", logStreamName="s", logEvents=[event])
        server.kill()

    with closing(launch(*data_options(tmp_path))) as again:
        assert [each["message"] for each in _events(again, "own")] == ["put"]
        printed = _printed(again, "/aws/lambda/speaking")
        assert stored <= len(printed) <= answered
        assert printed == list(range(len(printed)))


def test_a_stop_loses_no_line(tmp_path: Path) -> None:
    with closing(launch(*data_options(tmp_path))) as server:
        create_function(server, "speaking", _SPEAKING)
        for number in range(20):
            _invoke(server, "speaking", number)
        assert server.stop() == 0

    with closing(launch(*data_options(tmp_path))) as again:
        assert _printed(again, "/aws/lambda/speaking") == list(range(20))


def test_the_aws_cli_reads_a_function_s_lines() -> None:
    with running("--ephemeral") as server:
        create_function(server, "speaking", _SPEAKING)
        _invoke(server, "speaking", 7)
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        command = [sys.executable, "-m", "awscli", "logs", "filter-log-events", "--output", "text"]
        options = [
            "--log-group-name",
            "/aws/lambda/speaking",
            "--filter-pattern",
            "line",
            "--query",
            "events[].message",
        ]

        answer = subprocess.run(
            [*command, *options], env=environment, capture_output=True, text=True, timeout=60, check=True
        )

        assert answer.stdout == "line 7\n"
