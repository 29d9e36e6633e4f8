"""Many small transactions as one: what comes while a commit is on its way is committed together, after it.

A commit waits for the disk, so events that come at the same time would each wait for all before it.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from headgate.store.transaction import Transaction

Act = Callable[[Transaction], None]


class Store(Protocol):
    async def write(self, act: Callable[[Transaction], Any]) -> Any: ...


class Batch:
    """Writes that need no answer. Those who write bound how many wait."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Act, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Batch {len(self._waiting)} waiting>"

    async def write(self, act: Act) -> None:
        """Return when what `act` wrote is durable. What one act raises, all that were committed with it get."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((act, written))
        if self._task is None:
            self._task = asyncio.create_task(self._write_all())
        await written

    async def finish(self) -> None:
        """Wait for what was written before."""
        if self._task is not None:
            await self._task

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._store.write(lambda tx: [act(tx) for act, _ in batch])  # noqa: B023  used within this round
            except Exception as error:
                for _, written in batch:
                    if not written.done():
                        written.set_exception(error)
            else:
                for _, written in batch:
                    if not written.done():
                        written.set_result(None)
        self._task = None
