import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from headgate.model.account import Account
from headgate.model.ids import ResourceId
from headgate.model.rest_api import Resource
from headgate.store.sqlite import SqliteStore
from headgate.store.transaction import Change, Transaction

T = TypeVar("T")
_A = Resource(id=ResourceId("a"), path="/a")
_B = Resource(id=ResourceId("b"), path="/b")


def _nothing(_tx: Transaction, _changes: list[Change]) -> Callable[[], None]:
    return lambda: None


def _with_store(
    tmp_path: Path,
    story: Callable[[SqliteStore], Awaitable[T]],
    prepare: Callable[[Transaction, list[Change]], Callable[[], None]] = _nothing,
) -> T:
    async def run() -> T:
        store = SqliteStore(tmp_path / "test.db", prepare, durable=False)
        try:
            return await story(store)
        finally:
            store.close()

    return asyncio.run(run())


def test_what_was_written_is_read_back_after_a_restart(tmp_path: Path) -> None:
    async def write(store: SqliteStore) -> None:
        await store.write(lambda tx: tx.put(_A, "api", "a"))
        await store.write(lambda tx: tx.put_blob("hash", b"\0bytes"))

    async def read(store: SqliteStore) -> tuple[Resource | None, bytes | None, int]:
        found = await store.read(lambda tx: tx.get(Resource, "api", "a"))
        return found, await store.read(lambda tx: tx.get_blob("hash")), store.revision

    _with_store(tmp_path, write)

    assert _with_store(tmp_path, read) == (_A, b"\0bytes", 1)


def test_a_list_has_the_documents_below_a_prefix_and_no_neighbours(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> list[Resource]:
        def write(tx: Transaction) -> None:
            tx.put(_B, "api", "b")
            tx.put(_A, "api", "a")
            tx.put(_A, "api0", "a")
            tx.put(_A, "api-1", "a")
            tx.put(Account(), "api", "a")

        await store.write(write)
        return await store.read(lambda tx: tx.list(Resource, "api"))

    assert _with_store(tmp_path, story) == [_A, _B]


def test_a_slash_in_a_key_leads_nowhere_else(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> tuple[object, ...]:
        await store.write(lambda tx: tx.put(_A, "api", "a"))
        await store.write(lambda tx: tx.put(_B, "x/y", "b%2F"))
        return (
            await store.read(lambda tx: tx.get(Resource, "api/a")),
            await store.read(lambda tx: tx.get(Resource, "x/y", "b%2F")),
            await store.read(lambda tx: tx.list(Resource, "x")),
        )

    assert _with_store(tmp_path, story) == (None, _B, [])


def test_a_transaction_that_raises_changes_nothing(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> tuple[Resource | None, int]:
        def write(tx: Transaction) -> None:
            tx.put(_A, "api", "a")
            raise LookupError("no")

        with pytest.raises(LookupError):
            await store.write(write)
        return await store.read(lambda tx: tx.get(Resource, "api", "a")), store.revision

    assert _with_store(tmp_path, story) == (None, 0)


def test_a_change_that_cannot_be_prepared_is_not_committed(tmp_path: Path) -> None:
    def refuse(_tx: Transaction, _changes: list[Change]) -> Callable[[], None]:
        raise ValueError("does not compile")

    async def story(store: SqliteStore) -> Resource | None:
        with pytest.raises(ValueError, match="does not compile"):
            await store.write(lambda tx: tx.put(_A, "api", "a"))
        return await store.read(lambda tx: tx.get(Resource, "api", "a"))

    assert _with_store(tmp_path, story, refuse) is None


def test_a_change_is_published_before_its_writer_is_answered_and_in_order(tmp_path: Path) -> None:
    published: list[list[Change]] = []

    def prepare(_tx: Transaction, changes: list[Change]) -> Callable[[], None]:
        return lambda: published.append(changes)

    async def story(store: SqliteStore) -> list[int]:
        async def write(key: str) -> int:
            await store.write(lambda tx: tx.put(_A, "api", key))
            return len(published)

        return await asyncio.gather(*(write(str(at)) for at in range(20)))

    seen = _with_store(tmp_path, story, prepare)

    assert [each[0].key for each in published] == [("api", str(at)) for at in range(20)]
    assert all(count >= at + 1 for at, count in enumerate(seen))


def test_deleting_what_is_not_there_is_no_change(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> int:
        await store.write(lambda tx: tx.delete(Resource, "api", "a"))
        return store.revision

    assert _with_store(tmp_path, story) == 0


def test_delete_all_tells_each_document_that_went(tmp_path: Path) -> None:
    told: list[Change] = []

    def prepare(_tx: Transaction, changes: list[Change]) -> Callable[[], None]:
        return lambda: told.extend(changes)

    async def story(store: SqliteStore) -> list[Resource]:
        def write(tx: Transaction) -> None:
            tx.put(_A, "api", "a/1")
            tx.put(_B, "api", "b")

        await store.write(write)
        told.clear()
        await store.write(lambda tx: tx.delete_all(Resource, "api"))
        return await store.read(lambda tx: tx.list(Resource))

    assert _with_store(tmp_path, story, prepare) == []
    assert sorted(change.key for change in told) == [("api", "a/1"), ("api", "b")]


def test_clear_leaves_nothing(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> tuple[list[Resource], bytes | None]:
        await store.write(lambda tx: tx.put(_A, "api", "a"))
        await store.write(lambda tx: tx.put_blob("hash", b"x"))
        await store.write(lambda tx: tx.clear())
        return await store.read(lambda tx: tx.list(Resource)), await store.read(lambda tx: tx.get_blob("hash"))

    assert _with_store(tmp_path, story) == ([], None)


def test_a_reading_transaction_cannot_write(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> Resource | None:
        with pytest.raises(RuntimeError, match="reading transaction"):
            await store.read(lambda tx: tx.put(_A, "api", "a"))
        return await store.read(lambda tx: tx.get(Resource, "api", "a"))

    assert _with_store(tmp_path, story) is None


def test_blobs_that_nobody_keeps_are_deleted(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> tuple[bytes | None, bytes | None]:
        def write(tx: Transaction) -> None:
            tx.put_blob("old", b"1")
            tx.put_blob("used", b"2")

        await store.write(write)
        await store.write(lambda tx: tx.keep_blobs({"used"}))
        return await store.read(lambda tx: (tx.get_blob("old"), tx.get_blob("used")))

    assert _with_store(tmp_path, story) == (None, b"2")
