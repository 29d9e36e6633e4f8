"""The store of traces: whose they are, how many are kept, and what is found."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from headgate.model.scope import Scope
from headgate.telemetry.database_file import DatabaseFileError
from headgate.telemetry.traces.database import (
    RETENTION_S,
    Span,
    find_traces,
    traces_by_id,
)
from headgate.telemetry.traces.store import MAX_WAITING_BYTES, TraceStore
from unit.telemetry.traces.test_filter_expression import a_segment

_SCOPE = Scope(account_id="000000000000", region="us-east-1")
_ELSEWHERE = Scope(account_id="000000000000", region="eu-west-1")
_OTHER = Scope(account_id="111111111111", region="us-east-1")
_NOBODY = Scope(account_id="000000000000", region="")
_NOW = 1_800_000_000.0


def _trace_id(number: int) -> str:
    return f"1-6b0dd4b5-{number:024x}"


def _a_segment(trace: int, number: int = 1, at: float = _NOW, name: str = "orders", **fields: Any) -> dict[str, Any]:
    return a_segment(number, name, **{"trace_id": _trace_id(trace), "start_time": at, "end_time": at + 1, **fields})


def _with_store(folder: Path, act: Callable[[TraceStore], Awaitable[None]], *, max_bytes: int = 1 << 30) -> None:
    async def run() -> None:
        store = TraceStore(folder / "traces.db", max_bytes=max_bytes, clock=lambda: _NOW)
        try:
            await act(store)
        finally:
            await store.close()

    asyncio.run(run())


async def _found(store: TraceStore, scope: Scope = _SCOPE, annotation: tuple[str, str] | None = None) -> list[str]:
    span = Span(0.0, 2 * _NOW)

    def act(connection: sqlite3.Connection) -> list[str]:
        rows = [row for row, _ in find_traces(connection, scope, span, annotation)]
        return [connection.execute("SELECT trace_id FROM trace WHERE id = ?", (row,)).fetchone()[0] for row in rows]

    return await store.read(act)


def test_traces_are_their_account_s_and_region_s_alone(tmp_path: Path) -> None:
    async def act(store: TraceStore) -> None:
        store.put(_SCOPE, _a_segment(1))
        store.put(_OTHER, _a_segment(2))

        assert await _found(store) == [_trace_id(1)]
        assert await _found(store, _OTHER) == [_trace_id(2)]
        assert await _found(store, _ELSEWHERE) == []

    _with_store(tmp_path, act)


def test_a_segment_without_a_region_is_of_its_trace_s_whichever_came_first(tmp_path: Path) -> None:
    async def act(store: TraceStore) -> None:
        store.put(_NOBODY, _a_segment(1, 1))
        assert await _found(store, _ELSEWHERE) == [_trace_id(1)]
        store.put(_OTHER, _a_segment(1, 2))
        store.put(_NOBODY, _a_segment(1, 3))

        found = await store.read(lambda connection: traces_by_id(connection, _OTHER, [_trace_id(1)]))

        assert [len(each.documents) for each in found] == [3]
        assert await _found(store, _ELSEWHERE) == []

    _with_store(tmp_path, act)


def test_a_segment_that_comes_again_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    async def act(store: TraceStore) -> None:
        store.put(_SCOPE, _a_segment(1, name="begun"))
        store.put(_SCOPE, _a_segment(1, name="ended"))

        found = await store.read(lambda connection: traces_by_id(connection, _SCOPE, [_trace_id(1)]))

        assert [each["name"] for each in found[0].documents] == ["ended"]

    _with_store(tmp_path, act)


def test_traces_are_found_by_an_annotation(tmp_path: Path) -> None:
    async def act(store: TraceStore) -> None:
        for number in range(5):
            store.put(_SCOPE, _a_segment(number, annotations={"request_id": f"r-{number}"}))

        assert await _found(store, annotation=("request_id", "r-3")) == [_trace_id(3)]
        assert await _found(store, _OTHER, annotation=("request_id", "r-3")) == []

    _with_store(tmp_path, act)


def test_what_is_too_old_is_deleted(tmp_path: Path) -> None:
    async def act(store: TraceStore) -> None:
        store.put(_SCOPE, _a_segment(1, at=_NOW - RETENTION_S - 1))
        store.put(_SCOPE, _a_segment(2, at=_NOW - RETENTION_S + 1))

        assert await _found(store) == [_trace_id(2)]

    _with_store(tmp_path, act)


def test_the_oldest_are_deleted_where_there_is_too_much(tmp_path: Path) -> None:
    async def act(store: TraceStore) -> None:
        for number in range(6_000):
            store.put(_SCOPE, _a_segment(number, at=_NOW + number, annotations={"text": "x" * 200}))
            if number % 500 == 499:
                await store.flush()

        found = await _found(store)

        assert 0 < len(found) < 6_000
        assert found[0] == _trace_id(5_999)
        assert (tmp_path / "traces.db").stat().st_size < 6 << 20

    _with_store(tmp_path, act, max_bytes=2 << 20)


def test_beyond_the_bound_the_oldest_that_wait_are_dropped_and_counted(tmp_path: Path) -> None:
    async def act(store: TraceStore) -> None:
        for number in range(12):
            store.put(_SCOPE, _a_segment(1, number), MAX_WAITING_BYTES // 10)

        found = await store.read(lambda connection: traces_by_id(connection, _SCOPE, [_trace_id(1)]))

        assert store.dropped == 2
        assert [each["id"] for each in found[0].documents] == [f"{number:016x}" for number in range(2, 12)]

    _with_store(tmp_path, act)


@pytest.mark.parametrize(
    ("content", "told"), [(b"nonsense" * 1000, "cannot be used"), (None, "not a database of Headgate's traces")]
)
def test_a_file_that_is_no_store_is_refused_in_a_line(tmp_path: Path, content: bytes | None, told: str) -> None:
    database = tmp_path / "traces.db"
    if content is None:
        other = sqlite3.connect(database)
        other.execute("PRAGMA user_version = 1")
        other.execute("CREATE TABLE x (y)")
        other.close()
    else:
        database.write_bytes(content)

    async def open_it() -> None:
        TraceStore(database, max_bytes=1 << 20)

    with pytest.raises(DatabaseFileError, match=told):
        asyncio.run(open_it())
