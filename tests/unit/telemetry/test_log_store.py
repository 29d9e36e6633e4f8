"""The log store: what goes in comes out, is deleted when it is due, and is bounded."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from headgate.model.metric import MetricKey, Sample, point_of
from headgate.telemetry.database_file import DatabaseFileError, used_bytes
from headgate.telemetry.log_buffer import LogBuffer
from headgate.telemetry.log_filters import Observed
from headgate.telemetry.log_reading import Window, scan_group
from headgate.telemetry.log_retention import DAY_MS
from headgate.telemetry.log_store import Busy, LogBounds, LogStore, Writing
from headgate.telemetry.log_writing import Line
from headgate.telemetry.metric_sink import GatheredMetrics

_ARN = "arn:aws:logs:eu-west-1:111111111111:log-group:"
_NOON = 1_728_568_536_250
_ALL = Window(0, 1 << 62)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await story()

    asyncio.run(limited())


def lines(count: int, group: str = "g", stream: str = "s", at_ms: int = _NOON, text: str = "line") -> list[Line]:
    return [(_ARN + group, stream, at_ms + number, f"{text} {number}") for number in range(count)]


async def messages(store: LogStore, group: str = "g") -> list[str]:
    def act(connection: sqlite3.Connection) -> list[str]:
        row = connection.execute("SELECT id FROM log_group WHERE name = ?", (group,)).fetchone()
        if row is None:
            return []
        rows = connection.execute("SELECT message FROM event WHERE group_id = ? ORDER BY timestamp_ms, id", row)
        return [message for (message,) in rows]

    return await store.read(act)


async def stored_bytes(store: LogStore, group: str = "g") -> int:
    return await store.read(
        lambda connection: int(
            connection.execute("SELECT stored_bytes FROM log_group WHERE name = ?", (group,)).fetchone()[0]
        )
    )


async def execute(store: LogStore, sql: str, *parameters: object) -> None:
    def act(writing: Writing) -> None:
        writing.connection.execute(sql, parameters)
        writing.forget()

    await store.write(act)


def test_lines_make_their_groups_and_streams_and_are_counted(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")
        await store.write_lines([*lines(2, stream="b"), *lines(1, stream="a", text="ä"), *lines(1, group="h")], _NOON)

        assert sorted(await messages(store)) == ["line 0", "line 1", "ä 0"]
        assert await messages(store, "h") == ["line 0"]
        assert await stored_bytes(store) == len("line 0line 1ä 0".encode()) + 3 * 26
        rows = await store.read(
            lambda c: c.execute("SELECT account_id, region, name, created_ms FROM log_group ORDER BY name").fetchall()
        )
        assert rows == [("111111111111", "eu-west-1", name, _NOON) for name in ("g", "h")]
        store.close()

    run(story)


def test_events_are_read_in_the_order_of_their_time_whatever_their_stream(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")
        late, early = lines(1, "g", "a", _NOON + 5, "late"), lines(1, "g", "b", _NOON, "early")
        await store.write_lines(late, _NOON)
        await store.write_lines(early, _NOON)

        scan = await store.read(lambda connection: scan_group(connection, 1, None, _ALL, 10, lambda _: True))
        assert [(event.stream, event.message) for event in scan.events] == [("b", "early 0"), ("a", "late 0")]
        assert scan.resume is None
        store.close()

    run(story)


def test_a_scan_goes_on_where_it_stopped_and_no_page_has_more_than_a_megabyte(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")
        await store.write_lines(lines(30, text="x" * 100_000), _NOON)

        pages = []
        window = _ALL
        while True:
            scan = await store.read(lambda connection: scan_group(connection, 1, None, window, 100, lambda _: True))  # noqa: B023
            pages.append([int(event.message.split()[1]) for event in scan.events])
            if scan.resume is None:
                break
            window = window._replace(after=scan.resume)

        assert [len(page) for page in pages] == [10, 10, 10]
        assert [number for page in pages for number in page] == list(range(30))
        store.close()

    run(story)


def test_what_is_written_is_there_after_a_restart(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")
        await store.write_lines(lines(3), _NOON)
        store.close()

        again = LogStore(tmp_path / "logs.db")
        await again.write_lines(lines(1, at_ms=_NOON + 10, text="new"), _NOON)

        assert await messages(again) == ["line 0", "line 1", "line 2", "new 0"]
        again.close()

    run(story)


def test_retention_deletes_what_is_older_by_the_clock_and_nothing_else(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")
        await store.write_lines([*lines(12_000, text="old"), *lines(2, at_ms=_NOON + DAY_MS, text="new")], _NOON)
        await store.write_lines(lines(1, group="unlimited"), _NOON)
        await execute(store, "UPDATE log_group SET retention_days = 1 WHERE name = 'g'")

        await store.sweep(_NOON + DAY_MS)
        assert len(await messages(store)) == 12_002  # an event of exactly a day is kept

        await store.sweep(_NOON + DAY_MS + 12_000)
        assert await messages(store) == ["new 0", "new 1"]
        assert await stored_bytes(store) == 2 * (len("new 0") + 26)
        assert await messages(store, "unlimited") == ["line 0"]
        store.close()

    run(story)


def test_the_events_of_a_deleted_group_go_slice_by_slice(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")
        await store.write_lines(lines(12_000), _NOON)
        await store.write_lines(lines(1, group="h"), _NOON)
        await execute(store, "INSERT INTO doomed SELECT 'group', id FROM log_group WHERE name = 'g'")
        await execute(store, "DELETE FROM log_group WHERE name = 'g'")

        await store.sweep(_NOON)

        left = await store.read(lambda c: c.execute("SELECT count(*) FROM event").fetchone()[0])
        doomed = await store.read(lambda c: c.execute("SELECT count(*) FROM doomed").fetchone()[0])
        assert (left, doomed) == (1, 0)
        store.close()

    run(story)


def test_a_group_that_is_deleted_is_made_anew_by_the_next_line(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")
        await store.write_lines(lines(1), _NOON)
        await execute(store, "DELETE FROM log_stream")
        await execute(store, "DELETE FROM log_group")

        await store.write_lines(lines(1, text="new"), _NOON)

        assert await messages(store) == ["new 0"]
        store.close()

    run(story)


def test_a_group_above_its_bound_loses_its_oldest_events(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db", bounds=LogBounds(max_group_bytes=200_000))
        await store.write_lines(lines(12_000), _NOON)

        await store.sweep(_NOON)

        kept = await messages(store)
        assert kept[-1] == "line 11999"
        assert 0 < len(kept) < 12_000
        assert await stored_bytes(store) <= 200_000
        store.close()

    run(story)


def test_the_database_does_not_grow_beyond_its_bound(tmp_path: Path) -> None:
    async def story() -> None:
        limit = 4 * 1024 * 1024
        store = LogStore(tmp_path / "logs.db", bounds=LogBounds(max_bytes=limit))
        sizes = []
        for batch in range(30):
            await store.write_lines(lines(4_000, at_ms=_NOON + batch * 4_000, text="x" * 100), _NOON)
            sizes.append(await store.read(used_bytes))

        assert max(sizes) < 1.5 * limit
        assert (await messages(store))[-1] == "x" * 100 + " 3999"
        store.close()

    run(story)


def test_a_transaction_that_fails_leaves_nothing_and_what_it_made_is_not_remembered(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")

        def fail(writing: Any) -> None:
            writing.write_lines(lines(1, text="lost"), _NOON)
            raise LookupError

        with pytest.raises(LookupError):
            await store.write(fail)
        await store.write_lines(lines(1, text="kept"), _NOON)

        assert await messages(store) == ["kept 0"]
        store.close()

    run(story)


def test_more_writes_than_may_wait_are_refused(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")
        results = await asyncio.gather(
            *(store.write_lines(lines(1, text=str(number)), _NOON) for number in range(600)), return_exceptions=True
        )

        refused = sum(isinstance(result, Busy) for result in results)
        assert refused == 100
        assert len(await messages(store)) == 500
        store.close()

    run(story)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"no database at all, by far", "cannot be used"), (None, "has schema version 99, written by a newer Headgate")],
    ids=["damaged", "newer"],
)
def test_a_database_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, content: bytes | None, why: str) -> None:
    database = tmp_path / "logs.db"
    if content is None:
        other = sqlite3.connect(database)
        other.execute("PRAGMA user_version = 99")
        other.close()
    else:
        database.write_bytes(content * 100)

    async def story() -> None:
        with pytest.raises(DatabaseFileError) as refused:
            LogStore(database)
        assert str(refused.value).startswith(f"{database} {why}")
        assert "\n" not in str(refused.value)

    run(story)


def test_a_reader_that_flushes_sees_every_line_written_before(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")
        buffer = LogBuffer(store, GatheredMetrics(time.time))
        for line in lines(3):
            buffer.write(*line)

        await buffer.flush()

        assert await messages(store) == ["line 0", "line 1", "line 2"]
        await buffer.close()
        store.close()

    run(story)


def test_what_waits_is_bounded_and_the_oldest_lines_are_dropped_and_counted(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")
        buffer = LogBuffer(store, GatheredMetrics(time.time), max_bytes=10_000)
        for line in lines(1_000):
            buffer.write(*line)

        await buffer.close()

        kept = await messages(store)
        assert kept[-1] == "line 999"
        assert buffer.dropped == 1_000 - len(kept) > 900
        store.close()

    run(story)


def test_lines_that_the_disk_does_not_take_are_counted_and_those_after_them_are_written(tmp_path: Path) -> None:
    async def story() -> None:
        store = LogStore(tmp_path / "logs.db")
        buffer = LogBuffer(store, GatheredMetrics(time.time))
        await execute(store, "CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        buffer.write(*lines(1)[0])
        await buffer.flush()
        await execute(store, "DROP TRIGGER full")

        buffer.write(*lines(1, text="after")[0])
        await buffer.close()

        assert buffer.dropped == 1
        assert await messages(store) == ["after 0"]
        store.close()

    run(story)


def test_a_metric_filter_makes_a_value_of_each_match_and_its_default_of_a_quiet_minute(tmp_path: Path) -> None:
    async def story() -> None:
        observed: list[Observed] = []
        store = LogStore(tmp_path / "logs.db", observed=observed.append)
        await store.write_lines(lines(1), _NOON)
        body = (
            '{"filterPattern": "{ $.ms = * }", "metricTransformations": [{"metricName": "Latency", '
            '"metricNamespace": "Orders", "metricValue": "$.ms", "unit": "Milliseconds", "defaultValue": 0}]}'
        )
        await execute(store, "INSERT INTO metric_filter SELECT id, 'f', 0, ? FROM log_group", body)

        await store.write_lines(
            [(_ARN + "g", "s", _NOON, '{"ms": 12.5}'), (_ARN + "g", "s", _NOON, '{"ms": "x"}')], _NOON
        )
        await store.write_lines([(_ARN + "g", "s", _NOON + 1, "not in this minute")], _NOON)
        await store.write_lines([(_ARN + "g", "s", _NOON + 60_000, "quiet")] * 2, _NOON)
        await store.write_lines([(_ARN + "g", "s", _NOON + 60_001, "quiet still")], _NOON)
        await asyncio.sleep(0)

        values = [value for each in observed for value in each.metrics]
        key = MetricKey(
            account_id="111111111111", region="eu-west-1", namespace="Orders", name="Latency", unit="Milliseconds"
        )
        minute = _NOON // 60_000 * 60
        assert values == [
            Sample(key=key, at=minute, point=point_of(12.5)),
            Sample(key=key, at=minute + 60, point=point_of(0.0)),
        ]
        store.close()

    run(story)
