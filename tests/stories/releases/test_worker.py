"""The process that drives a server's releases, when what it stands on fails."""

import asyncio
import sqlite3
from pathlib import Path

from headgate.server.release_worker import ReleaseWorker


def test_a_state_file_that_cannot_be_read_for_a_moment_is_read_again(tmp_path: Path) -> None:
    async def story() -> None:
        asked, again = 0, asyncio.Event()
        loop = asyncio.get_running_loop()

        def has_open() -> bool:
            nonlocal asked
            asked += 1
            if asked == 1:
                raise sqlite3.OperationalError("disk I/O error")
            loop.call_soon_threadsafe(again.set)
            return False

        worker = ReleaseWorker(tmp_path / "releases.db", "http://127.0.0.1:1", has_open)
        worker.poke()
        await asyncio.wait_for(again.wait(), 60)
        await worker.close()

    asyncio.run(story())
