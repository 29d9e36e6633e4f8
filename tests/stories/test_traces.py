"""Traces of a real server: a function's part, callers that decide, export, and one bad request found by its id."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.apis import Api
from support.backends import Backend, serving_backend
from support.functions import create_function
from support.server import Answer, RunningServer, closing, data_options, fetch, launch, running
from support.traces import everything_of, observe, sample_everything, summaries

_WAIT_S = 60
_ROOT = "1-58406520-a006649127e371903a2de979"

_INSTRUMENTED = """
import json, os, socket, time

def handle(event, context):
    header = dict(part.split("=") for part in os.environ["_X_AMZN_TRACE_ID"].split(";"))
    now = time.time()
    segment = {
        "type": "subsegment", "id": "00000000000000aa", "parent_id": header["Parent"], "trace_id": header["Root"],
        "name": "work", "start_time": now, "end_time": now,
    }
    host, port = os.environ["AWS_XRAY_DAEMON_ADDRESS"].split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b'{"format": "json", "version": 1}\\n' + json.dumps(segment).encode(), (host, int(port)))
    return {"statusCode": 200, "body": os.environ["_X_AMZN_TRACE_ID"]}
"""
_FAILING = "def handle(event, context):\n    raise ValueError('no stock of ' + event['path'])\n"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("--ephemeral") as started:
        yield started


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with serving_backend() as started:
        yield started


def _traced(api: Api) -> None:
    api.patch_stage("prod", ("replace", "/tracingEnabled", "true"))


def _segments(server: RunningServer, trace_id: str) -> dict[str, Any]:
    """A trace's segments by their origin."""
    traces = server.client("xray").batch_get_traces(TraceIds=[trace_id])["Traces"]
    documents = [json.loads(each["Document"]) for trace in traces for each in trace["Segments"]]
    return {each["origin"]: each for each in documents}


def _request_id(answer: Answer) -> str:
    return answer.headers["x-amzn-requestid"]


def test_a_function_s_part_hangs_below_the_gateway_s_with_what_its_own_code_adds(server: RunningServer) -> None:
    api = Api(server, "instrumented")
    api.function(api.resource("work"), create_function(server, "instrumented", _INSTRUMENTED))
    api.deploy("prod")

    answer = fetch(api.url("prod", "/work"), headers={"X-Amzn-Trace-Id": f"Root={_ROOT};Sampled=1"})

    segments = _segments(server, _ROOT)
    gateway, service, function = (
        segments[origin] for origin in ("AWS::ApiGateway::Stage", "AWS::Lambda", "AWS::Lambda::Function")
    )
    call = gateway["subsegments"][0]
    assert service["parent_id"] == call["id"]
    assert function["parent_id"] == service["id"]
    assert [each["name"] for each in function["subsegments"]] == ["work"]
    assert answer.body.decode() == f"Root={_ROOT};Parent={function['id']};Sampled=1"
    assert answer.headers["x-amzn-trace-id"] == f"Root={_ROOT};Parent={call['id']};Sampled=1"
    assert service["aws"]["request_id"] == call["aws"]["request_id"]
    report = server.client("logs").filter_log_events(logGroupName="/aws/lambda/instrumented", filterPattern="REPORT")
    assert f"XRAY TraceId: {_ROOT}\tSegmentId: {function['id']}\tSampled: true" in report["events"][0]["message"]


def test_a_call_that_is_not_traced_sees_nothing_of_the_trace_before(server: RunningServer) -> None:
    api = Api(server, "stale")
    source = 'import os\ndef handle(event, context):\n    return {"body": os.environ["_X_AMZN_TRACE_ID"]}\n'
    api.function(api.resource("work"), create_function(server, "stale", source))
    api.deploy("prod")

    traced = fetch(api.url("prod", "/work"), headers={"X-Amzn-Trace-Id": f"Root={_ROOT[:-1]}b;Sampled=1"})
    plain = json.loads(server.client("lambda").invoke(FunctionName="stale", Payload=b"{}")["Payload"].read())

    assert "Sampled=1" in traced.body.decode()
    assert plain == {"body": ""}


def test_a_backend_is_told_of_the_trace_and_its_traceparent_is_untouched(
    server: RunningServer, backend: Backend
) -> None:
    api = Api(server, "proxied")
    api.http_proxy(api.resource("echo"), f"{backend.url}/echo")
    api.deploy("prod")
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    root = _ROOT[:-1] + "a"

    answer = fetch(
        api.url("prod", "/echo"), headers={"X-Amzn-Trace-Id": f"Root={root};Sampled=1", "traceparent": parent}
    )

    call = _segments(server, root)["AWS::ApiGateway::Stage"]["subsegments"][0]
    seen = {name.lower(): value for name, value in answer.json["headers"]}
    assert seen["x-amzn-trace-id"] == f"Root={root};Parent={call['id']};Sampled=1"
    assert seen["traceparent"] == parent
    assert (call["namespace"], call["name"]) == ("remote", backend.url.removeprefix("http://"))


def test_rules_are_in_force_for_the_next_request(server: RunningServer) -> None:
    client = server.client("xray")
    api = Api(server, "ruled")
    api.mock(api.root)
    api.deploy("prod")
    _traced(api)

    sample_everything(server)
    chosen = [_request_id(api.get()) for _ in range(5)]
    client.update_sampling_rule(SamplingRuleUpdate={"RuleName": "all", "FixedRate": 0.0})
    passed_over = [_request_id(api.get()) for _ in range(5)]
    client.delete_sampling_rule(RuleName="all")

    found = {
        each["AnnotationValue"]["StringValue"]
        for summary in summaries(server, 'service("ruled/prod")')
        for each in summary["Annotations"]["request_id"]
    }
    assert found == set(chosen)
    assert not found & set(passed_over)


def test_a_function_with_active_tracing_is_traced_without_a_gateway(server: RunningServer) -> None:
    create_function(
        server, "active", "def handle(event, context):\n    raise KeyError('k')\n", TracingConfig={"Mode": "Active"}
    )

    server.client("lambda").invoke(FunctionName="active", Payload=b"{}")

    found = summaries(server, 'service(id(name: "active", type: "AWS::Lambda::Function")) { fault }')
    assert len(found) == 1
    exceptions = _segments(server, found[0]["Id"])["AWS::Lambda::Function"]["cause"]["exceptions"]
    assert (exceptions[0]["type"], exceptions[0]["message"]) == ("KeyError", "'k'")


def test_logs_and_trace_of_one_bad_request_are_found_by_its_id_in_one_query_each_after_a_crash_too(
    tmp_path: Path,
) -> None:
    with closing(launch(*data_options(tmp_path))) as server:
        sample_everything(server)
        api = Api(server, "shop")
        api.function(api.resource("orders"), create_function(server, "orders", _FAILING))
        api.mock(api.resource("health"))
        api.deploy("prod")
        observe(api)
        for _ in range(10):
            assert api.get(path="/health").status == 200
        bad = api.get(path="/orders")
        assert bad.status == 502
        bad_id = _request_id(bad)
        before = everything_of(server, api, bad_id)
        server.kill()

    with closing(launch(*data_options(tmp_path))) as server:
        after = everything_of(server, api, bad_id)

    lines, traces = before
    text = "\n".join(lines)
    assert all(bad_id in line for line in lines)
    assert "no stock of /orders" in text
    assert '"status":"502"' in text
    assert [(trace["HasFault"], trace["Http"]["HttpStatus"]) for trace in traces] == [(True, 502)]
    assert re.search(f'"trace":"{traces[0]["Id"]}"', text)
    assert {each["Name"] for each in traces[0]["ServiceIds"]} == {"shop/prod", "orders"}
    assert after == before


class Collector(BaseHTTPRequestHandler):
    """An OpenTelemetry collector that is busy at first."""

    protocol_version = "HTTP/1.1"
    busy = 1
    arrived: list[Any]
    changed: threading.Condition

    def log_message(self, *args: Any) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 200
        with self.changed:
            if type(self).busy:
                type(self).busy -= 1
                status = 503
            else:
                self.arrived.append((self.path, self.headers["Content-Type"], json.loads(body)))
                self.changed.notify_all()
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


@contextmanager
def _collecting() -> Iterator[tuple[str, type[Collector]]]:
    class Own(Collector):
        arrived: list[Any] = []  # noqa: RUF012  each collector's own
        changed = threading.Condition()

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    listener.daemon_threads = True
    listener.block_on_close = False
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_address[1]}", Own
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def test_what_is_traced_is_exported_to_a_collector_that_was_busy_at_first() -> None:
    with (
        _collecting() as (url, collector),
        running("--ephemeral", environment={"HEADGATE_OTLP_ENDPOINT": url}) as server,
    ):
        api = Api(server, "exported")
        api.mock(api.root)
        api.deploy("prod")

        answer = fetch(api.url("prod"), headers={"X-Amzn-Trace-Id": f"Root={_ROOT};Sampled=1"})

        with collector.changed:
            assert collector.changed.wait_for(lambda: collector.arrived, timeout=_WAIT_S)
        path, content_type, body = collector.arrived[0]
        span = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
        attributes = {each["key"]: each["value"] for each in span["attributes"]}
        assert (path, content_type) == ("/v1/traces", "application/json")
        assert span["traceId"] == _ROOT[2:].replace("-", "")
        assert attributes["request_id"] == {"stringValue": _request_id(answer)}
