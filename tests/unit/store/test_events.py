"""Events in the store, and many small writes as one."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from headgate.model.arn import FunctionRef
from headgate.model.event import Delivery, EventHead, FunctionEvent, MessageAttribute
from headgate.store.batch import Batch
from headgate.store.sqlite import SqliteStore
from headgate.store.transaction import Change, Transaction

T = TypeVar("T")
_LIVE = FunctionRef(account_id="111111111111", region="eu-west-1", name="hello", qualifier="live")
_EVENT = FunctionEvent(id="one", function=_LIVE, payload=b'{"a":1}', received_at=1.5, due_at=2.5, client_context="{}")


def _with_store(tmp_path: Path, story: Callable[[SqliteStore], Awaitable[T]]) -> T:
    published: list[object] = []

    def prepare(_tx: Transaction, changes: list[Change]) -> Callable[[], None]:
        return lambda: published.append(changes)

    async def run() -> T:
        store = SqliteStore(tmp_path / "test.db", prepare, durable=False)
        try:
            return await story(store)
        finally:
            store.close()

    result = asyncio.run(run())
    assert published == []
    return result


def test_an_event_is_read_back_after_a_restart_with_all_that_it_has(tmp_path: Path) -> None:
    letter = Delivery(target="arn:q", body="{}", attributes={"A": MessageAttribute(data_type="String", value="x")})
    event = replace(_EVENT, attempts=2, chain=3, deliveries=(letter,), failed_deliveries=1)

    async def write(store: SqliteStore) -> None:
        await store.write(lambda tx: tx.put_event(event))

    async def read(store: SqliteStore) -> FunctionEvent | None:
        return await store.read(lambda tx: tx.get_event("one"))

    _with_store(tmp_path, write)

    assert _with_store(tmp_path, read) == event


def test_an_event_that_is_put_again_is_changed_and_deleted_is_gone(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> list[FunctionEvent | None]:
        seen = []
        for act in (
            lambda tx: tx.put_event(_EVENT),
            lambda tx: tx.put_event(replace(_EVENT, attempts=1, due_at=9.0)),
            lambda tx: tx.delete_event("one"),
            lambda tx: tx.delete_event("one"),
        ):
            await store.write(act)
            seen.append(await store.read(lambda tx: tx.get_event("one")))
        return seen

    assert _with_store(tmp_path, story) == [_EVENT, replace(_EVENT, attempts=1, due_at=9.0), None, None]


def test_the_heads_come_as_they_are_due_and_know_the_payloads_size(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> list[EventHead]:
        await store.write(lambda tx: tx.put_event(replace(_EVENT, id="late", due_at=3.0)))
        await store.write(lambda tx: tx.put_event(_EVENT))
        return list(await store.read(lambda tx: tx.event_heads()))

    assert _with_store(tmp_path, story) == [
        EventHead(id="one", function=_LIVE, due_at=2.5, size=7),
        EventHead(id="late", function=_LIVE, due_at=3.0, size=7),
    ]


def test_events_are_no_change_of_what_is_served(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> int:
        await store.write(lambda tx: tx.put_event(_EVENT))
        return store.revision

    assert _with_store(tmp_path, story) == 0


def test_clear_leaves_no_event(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> list[EventHead]:
        await store.write(lambda tx: tx.put_event(_EVENT))
        await store.write(lambda tx: tx.clear())
        return list(await store.read(lambda tx: tx.event_heads()))

    assert _with_store(tmp_path, story) == []


class _CountingStore:
    """Counts the transactions; refuses those that it is told to."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.commits = 0
        self.refusal: Exception | None = None

    async def write(self, act: Callable[[Transaction], Any]) -> Any:
        self.commits += 1
        if self.refusal is not None:
            raise self.refusal
        return await self.store.write(act)


def test_what_comes_during_a_commit_is_committed_together_after_it(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> tuple[int, int]:
        counting = _CountingStore(store)
        batch = Batch(counting)
        events = [replace(_EVENT, id=str(number)) for number in range(100)]

        async def write(event: FunctionEvent) -> None:
            await batch.write(lambda tx: tx.put_event(event))
            assert await store.read(lambda tx: tx.get_event(event.id)) == event

        await asyncio.gather(*map(write, events))
        await batch.finish()
        return counting.commits, len(await store.read(lambda tx: tx.event_heads()))

    commits, stored = _with_store(tmp_path, story)

    assert stored == 100
    assert commits <= 2


def test_a_commit_that_fails_is_told_to_all_that_were_in_it_and_the_next_one_goes_on(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> int:
        counting = _CountingStore(store)
        batch = Batch(counting)
        counting.refusal = OSError("the disk is full")
        writes = [batch.write(lambda tx: tx.put_event(_EVENT)) for _ in range(3)]
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert results == [counting.refusal] * 3

        counting.refusal = None
        await batch.write(lambda tx: tx.put_event(_EVENT))
        return len(await store.read(lambda tx: tx.event_heads()))

    assert _with_store(tmp_path, story) == 1
