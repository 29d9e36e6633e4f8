"""The shell around the series: it flushes by itself, before each answer, and loses nothing to whoever goes away."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.model.metric import MetricKey, Sample, point_of
from headgate.model.observation import SessionMemories, SessionMemory
from headgate.store.metric_store import MetricStore, Taken, until_next_flush

_KEY = MetricKey(account_id="0" * 12, region="us-east-1", namespace="Test", name="Count")
_NOW = 1_795_262_400.5


class _Counter:
    """A source of one counter."""

    def __init__(self) -> None:
        self.count = 0
        self.taken = asyncio.Event()

    def take(self) -> Taken:
        count, self.count = self.count, 0
        self.taken.set()
        return lambda at: [Sample(key=_KEY, at=at, point=point_of(1.0, count))] if count else []


async def _count(store: MetricStore) -> float:
    points = await store.run(lambda database, now: database.points(_KEY, int(_NOW) - 60, int(_NOW) + 60, 120, now))
    return sum(point.count for point in points.values())


def test_an_answer_has_all_in_it_that_was_counted_before_the_question(tmp_path: Path) -> None:
    async def run() -> list[float]:
        counter = _Counter()
        store = MetricStore(tmp_path / "metrics.db", [counter.take], clock=lambda: _NOW)
        counts = []
        for more in (3, 0, 4):
            counter.count += more
            counts.append(await _count(store))
        await store.close()
        return counts

    assert asyncio.run(run()) == [3, 3, 7]


def test_counters_are_flushed_without_a_question(tmp_path: Path) -> None:
    async def run() -> None:
        counter = _Counter()
        store = MetricStore(tmp_path / "metrics.db", [counter.take])
        await asyncio.wait_for(counter.taken.wait(), 30)
        await store.close()

    asyncio.run(run())


@pytest.mark.parametrize("now", [_NOW, 1_795_262_400.0, 1_795_262_400.999])
def test_a_timer_that_fires_a_little_early_flushes_no_second_before_its_end(now: float) -> None:
    flushed_at = now + until_next_flush(now) - 0.002

    assert int(flushed_at) == int(now) + 1


def test_an_asker_that_goes_away_takes_no_point_along(tmp_path: Path) -> None:
    async def run() -> float:
        counter = _Counter()
        store = MetricStore(tmp_path / "metrics.db", [counter.take], clock=lambda: _NOW)
        counter.count = 5
        asking = asyncio.ensure_future(_count(store))
        await counter.taken.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        counted = await _count(store)
        await store.close()
        return counted

    assert asyncio.run(run()) == 5


def test_what_is_counted_at_the_close_is_there_at_the_next_opening(tmp_path: Path) -> None:
    async def run() -> float:
        counter = _Counter()
        store = MetricStore(tmp_path / "metrics.db", [counter.take], clock=lambda: _NOW)
        counter.count = 5
        await store.close()
        store = MetricStore(tmp_path / "metrics.db", [], clock=lambda: _NOW)
        counted = await _count(store)
        await store.close()
        return counted

    assert asyncio.run(run()) == 5


def test_what_is_known_of_sessions_is_written_with_the_counts_and_there_after_a_restart(tmp_path: Path) -> None:
    memory = SessionMemory(api_id="a1", stage_name="prod", sticky="x-user", seen=b"\1\1", failed=b"\0\1")
    given = [SessionMemories(over=(memory.key,)), SessionMemories(changed=(memory,))]

    async def run(memories: Callable[[], SessionMemories]) -> list[SessionMemory]:
        store = MetricStore(tmp_path / "metrics.db", [], clock=lambda: _NOW, memories=memories)
        remembered = store.remembered
        await store.close()
        return remembered

    assert asyncio.run(run(lambda: given.pop() if len(given) > 1 else SessionMemories())) == []
    assert asyncio.run(run(lambda: given.pop() if given else SessionMemories())) == [memory]
    assert asyncio.run(run(SessionMemories)) == []
