"""Metrics and alarms: what listing, a day's percentile, a minute's storage and an evaluation cost.

`python -m bench.metrics` alone, or as a part of `make bench`.
"""

import asyncio
import json
import os
import random
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec.structs import replace

from bench.target import headgate
from headgate.control.cloudwatch.alarm_book import AlarmBook
from headgate.control.cloudwatch.alarm_documents import put_alarm
from headgate.control.cloudwatch.alarm_evaluator import AlarmEvaluator
from headgate.model.alarm import AlarmDimension, MetricAlarm
from headgate.model.metric import MetricKey, Sample, merged, point_of, share_point
from headgate.store.metric_database import MetricDatabase
from headgate.store.sqlite import SqliteStore
from headgate.store.transaction import Transaction
from headgate.telemetry.statistics import statistic

METRICS: Final = 10_000
ALARMS: Final = 5_000
DAY_S: Final = 86_400
SAMPLES: Final = 1_000_000
ROUNDS: Final = 5
_NOON: Final = 1_728_561_600
_KEY: Final = MetricKey(account_id="000000000000", region="us-east-1", namespace="Shop", name="Latency")


class Report(Protocol):
    def add(self, what: str, measured: str, wanted: str, *, reached: bool) -> None: ...


def measure(report: Report) -> None:
    listing(report)
    with tempfile.TemporaryDirectory(prefix="headgate-bench-") as folder:
        percentile(report, Path(folder))
        growth(report, Path(folder))
        evaluation(report, Path(folder))


def listing(report: Report) -> None:
    """All pages of ListMetrics, over HTTP; what a client then does with the answers is its own."""
    with headgate() as target:
        for first in range(0, METRICS, 1000):
            data = [
                {"MetricName": "Orders", "Value": 1.0, "Dimensions": [{"Name": "Shop", "Value": f"shop-{number:05}"}]}
                for number in range(first, first + 1000)
            ]
            _ask(target.control, "PutMetricData", {"Namespace": "Shop", "MetricData": data})
        took = _median(lambda: _list(target.control), time.perf_counter)
        spent = _median(lambda: _list(target.control), lambda: processor_s(target.pid))
    measured = f"{took * 1000:.0f} ms; {spent * 1000:.0f} ms of a core"
    report.add(f"{METRICS:,} metrics listed, in pages", measured, "< 200 ms", reached=took < 0.2)


def processor_s(pid: int) -> float:
    """What a process has had of the processors, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(report: Report, folder: Path) -> None:
    """p99 of a day in one period, of latencies that no two minutes share."""
    database = MetricDatabase(folder / "percentile.db", _NOON)
    per_minute = SAMPLES // (DAY_S // 60)
    for minute in range(DAY_S // 60):
        at = _NOON + minute * 60
        point = merged(point_of(random.lognormvariate(3, 1)) for _ in range(per_minute))
        assert point is not None
        database.write([Sample(key=_KEY, at=at, point=point)], at + 60)
        database.roll(at + 62)
    compute = statistic("p99")
    assert compute is not None
    end = _NOON + DAY_S

    def ask(period: int) -> None:
        points = database.points(_KEY, _NOON, end, period, end)
        assert sum(point.count for point in points.values()) == per_minute * 1440
        assert all(compute(point) for point in points.values())

    for period, told in ((DAY_S, "one period"), (60, "1,440 periods")):
        took = _median(lambda: ask(period), time.process_time)  # noqa: B023  used within this round
        what = f"p99 of 24 h, {SAMPLES:,} samples, {told}"
        wanted = "< 50 ms" if period == DAY_S else ""
        report.add(what, f"{took * 1000:.1f} ms of a core", wanted, reached=not wanted or took < 0.05)
    database.close()


def growth(report: Report, folder: Path) -> None:
    """A day of four methods with ten requests a second each, of latencies that vary little or much."""
    for told, sigma in (("p99 three times p50", 0.5), ("p99 ten times p50", 1.0)):
        size = _grown(folder / f"growth-{sigma}.db", sigma)
        what = f"store, a metric and minute; {told}"
        report.add(what, f"{size:.0f} bytes", "< 100 bytes", reached=size < 100)


def _grown(path: Path, sigma: float) -> float:
    """Bytes for a metric and minute."""
    database = MetricDatabase(path, _NOON)
    names = ("Count", "4XXError", "5XXError", "Latency", "IntegrationLatency")
    methods = 4
    keys = [
        [replace(_KEY, name=name, dimensions=(("Method", f"m{method}"),)) for name in names]
        for method in range(methods)
    ]
    minutes = DAY_S // 60
    for minute in range(minutes):
        at = _NOON + minute * 60
        samples = []
        for each in keys:
            latency = merged(point_of(random.lognormvariate(3, sigma)) for _ in range(600))
            assert latency is not None
            shares = [share_point(600, 600), share_point(600, minute % 7), share_point(600, 0)]
            points = [*shares, latency, latency.copy()]
            samples += [Sample(key=key, at=at, point=point) for key, point in zip(each, points, strict=True)]
        database.write(samples, at + 60)
        database.roll(at + 62)
        if minute % 10 == 0:
            database.expire(at + 62)
    database.close()
    return path.stat().st_size / (minutes * methods * len(names))


def evaluation(report: Report, folder: Path) -> None:
    """One pass over alarms that stay as they are, each on a metric of its own."""
    took = asyncio.run(_evaluate(folder))
    share = took / 60
    report.add(
        f"{ALARMS:,} alarms evaluated, once a minute",
        f"{took * 1000:.0f} ms, {share:.1%} of a core",
        "",
        reached=True,
    )


async def _evaluate(folder: Path) -> float:
    database = MetricDatabase(folder / "alarms.db", _NOON)
    keys = [replace(_KEY, dimensions=(("Shop", f"shop-{number}"),)) for number in range(ALARMS)]
    for minute in range(5):
        at = _NOON + 60 * minute
        database.write([Sample(key=key, at=at, point=point_of(1.0)) for key in keys], at)
        database.roll(at + 62)
    book = AlarmBook()
    store = SqliteStore(folder / "state.db", book.prepare, durable=False)

    def put(tx: Transaction) -> None:
        for number in range(ALARMS):
            put_alarm(tx, _alarm(number), _NOON)

    class Metrics:
        async def read(self, act: Callable[[MetricDatabase, float], Any]) -> Any:
            return act(database, _NOON + 303)

    try:
        await store.write(put)
        evaluator = AlarmEvaluator(store, Metrics(), book, lambda: _NOON + 303)
        await evaluator.evaluate(60, _NOON + 300)  # after this all are OK
        began = time.process_time()
        await evaluator.evaluate(60, _NOON + 300)
        return time.process_time() - began
    finally:
        store.close()
        database.close()


def _alarm(number: int) -> MetricAlarm:
    return MetricAlarm(
        account_id="000000000000",
        region="us-east-1",
        alarm_name=f"alarm-{number}",
        alarm_configuration_updated_timestamp=0.0,
        evaluation_periods=3,
        comparison_operator="GreaterThanThreshold",
        threshold=5.0,
        namespace="Shop",
        metric_name="Latency",
        dimensions=(AlarmDimension(name="Shop", value=f"shop-{number}"),),
        extended_statistic="p99",
        period=60,
    )


def _list(url: str) -> None:
    found, token = 0, None
    while True:
        answer = _ask(url, "ListMetrics", {"Namespace": "Shop"} | ({"NextToken": token} if token else {}))
        found += len(answer["Metrics"])
        token = answer.get("NextToken")
        if token is None:
            break
    assert found == METRICS


def _ask(url: str, operation: str, members: dict[str, Any]) -> Any:
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"GraniteServiceVersion20100801.{operation}",
    }
    request = urllib.request.Request(url, json.dumps(members).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read() or b"{}")


def _median(act: Callable[[], None], clock: Callable[[], float]) -> float:
    """Seconds by this clock: the wall's, or what the processor gave us, which others' work does not lengthen."""
    took = []
    for _ in range(ROUNDS):
        began = clock()
        act()
        took.append(clock() - began)
    return statistics.median(took)


class _Printed:
    def add(self, what: str, measured: str, wanted: str, *, reached: bool) -> None:
        print(f"{what:<52} {measured:<32} {wanted:<14} {'reached' if reached else 'SHORT'}", flush=True)


if __name__ == "__main__":
    measure(_Printed())
