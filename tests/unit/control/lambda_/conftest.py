"""Plays a scenario over a store of its own."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from headgate.store.sqlite import SqliteStore

from .account import Account

Scenario = Callable[[Account], Awaitable[None]]
Play = Callable[[Scenario], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    async def played(scenario: Scenario) -> None:
        store = SqliteStore(tmp_path / "state.db", lambda _tx, _changes: lambda: None, durable=False)
        try:
            await scenario(Account(store))
        finally:
            store.close()

    return lambda scenario: uvloop.run(played(scenario))
