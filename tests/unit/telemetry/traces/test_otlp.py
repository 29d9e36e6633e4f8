"""Export to OpenTelemetry: spans of segments; batches, retries, and what is dropped."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from headgate.telemetry.traces.otlp import encode
from headgate.telemetry.traces.otlp_export import MAX_BATCH, MAX_TRIES, MAX_WAITING, OtlpExport
from unit.telemetry.traces.test_filter_expression import a_segment

_SEGMENT = a_segment(
    1,
    "orders/prod",
    7,
    fault=True,
    http={"request": {"method": "GET", "url": "http://x/y"}, "response": {"status": 502}},
    annotations={"request_id": "r-1", "canary": True},
    subsegments=[{"id": f"{2:016x}", "name": "Lambda", "start_time": 100.1, "end_time": 100.2, "namespace": "aws"}],
)


def test_a_segment_is_a_server_span_and_its_call_a_client_span_below_it() -> None:
    body = orjson.loads(encode([_SEGMENT], "1.0"))

    resource = body["resourceSpans"][0]
    server, client = resource["scopeSpans"][0]["spans"]
    assert resource["resource"]["attributes"][0] == {"key": "service.name", "value": {"stringValue": "orders/prod"}}
    assert server["traceId"] == client["traceId"] == "6b0dd4b572e0157ecf877bdbf8de4331"
    assert (server["kind"], client["kind"]) == (2, 3)
    assert (server["parentSpanId"], client["parentSpanId"]) == (f"{7:016x}", server["spanId"])
    assert (server["startTimeUnixNano"], server["endTimeUnixNano"]) == ("100000000000", "100500000000")
    assert server["status"] == {"code": 2}
    attributes = {each["key"]: each["value"] for each in server["attributes"]}
    assert attributes["http.response.status_code"] == {"intValue": "502"}
    assert attributes["request_id"] == {"stringValue": "r-1"}
    assert attributes["canary"] == {"boolValue": True}


def test_what_is_in_progress_is_no_span_yet() -> None:
    segment = {name: value for name, value in _SEGMENT.items() if name != "end_time"}

    assert orjson.loads(encode([segment], "1.0")) == {"resourceSpans": []}


class Collector:
    """Answers with these statuses in their order, then with 200; an exception is raised."""

    def __init__(self, *answers: int | Exception) -> None:
        self._answers = list(answers)
        self.batches: list[int] = []
        self.slept: list[float] = []

    async def send(self, body: bytes) -> int:
        spans = [
            span for resource in orjson.loads(body)["resourceSpans"] for span in resource["scopeSpans"][0]["spans"]
        ]
        self.batches.append(len(spans))
        answer = self._answers.pop(0) if self._answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def _exported(collector: Collector, count: int, done: Callable[[Collector, OtlpExport], bool]) -> OtlpExport:
    async def run() -> OtlpExport:
        export = OtlpExport(collector.send, "1.0", sleep=collector.sleep)
        plain: dict[str, Any] = a_segment(1, "orders/prod")
        for _ in range(count):
            export.put(plain)
        while not done(collector, export):  # noqa: ASYNC110  every turn is one of the exporter's
            await asyncio.sleep(0)
        await export.close()
        return export

    return asyncio.run(run())


def test_segments_go_in_batches() -> None:
    collector = Collector()

    export = _exported(collector, MAX_BATCH + 3, lambda seen, _: len(seen.batches) == 2)

    assert collector.batches == [MAX_BATCH, 3]
    assert export.dropped == 0


def test_a_batch_that_meets_an_outage_is_sent_again_after_growing_waits() -> None:
    collector = Collector(503, OSError("refused"), TimeoutError(), 429)

    export = _exported(collector, 2, lambda seen, _: len(seen.batches) == 5)

    assert collector.batches == [2] * 5
    assert export.dropped == 0
    waits = collector.slept[1:5]
    assert all(low <= wait <= 2 * low for wait, low in zip(waits, (0.5, 1.0, 2.0, 4.0), strict=True))


def test_after_the_last_try_a_batch_is_dropped_and_counted() -> None:
    collector = Collector(*[503] * MAX_TRIES)

    export = _exported(collector, 2, lambda _, export: export.dropped > 0)

    assert collector.batches == [2] * MAX_TRIES
    assert export.dropped == 2


def test_what_a_collector_refuses_is_not_sent_again() -> None:
    collector = Collector(400)

    export = _exported(collector, 2, lambda _, export: export.dropped > 0)

    assert (collector.batches, export.dropped) == ([2], 2)


def test_beyond_the_queue_s_bound_the_oldest_are_dropped() -> None:
    collector = Collector()

    export = _exported(collector, MAX_WAITING + 5, lambda seen, _: sum(seen.batches) == MAX_WAITING)

    assert export.dropped == 5
