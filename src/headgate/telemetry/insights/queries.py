"""Queries that run and that ran: each is started as a process, and its results are kept for a while."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson

QUERY_S: Final = 60.0  # that a query may take
MAX_RUNNING: Final = 10  # queries at a time; others wait
MAX_KEPT: Final = 100  # queries that are known, those that wait and run among them
MAX_KEPT_BYTES: Final = 64 * 1024 * 1024  # of results


class RanQuery:
    """One query of an account and region; `status` as the API tells it."""

    def __init__(self, owner: tuple[str, str], groups: Sequence[str], text: str) -> None:
        self.id = str(uuid4())
        self.owner = owner
        self.groups = groups
        self.text = text
        self.created = time.time()
        self.status = "Scheduled"
        self.results: list[list[tuple[str, str]]] = []
        self.matched = self.scanned = self.bytes = 0
        self.size = 0  # bytes of its results
        self.task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<query {self.id} {self.status}>"

    @property
    def is_over(self) -> bool:
        return self.status not in {"Scheduled", "Running"}


class TooManyQueries(Exception):
    """As many queries wait as may."""


class Queries:
    """Used on the event loop."""

    def __init__(self, database: Path, query_s: float = QUERY_S) -> None:
        self._database = database
        self._query_s = query_s
        self._queries: dict[str, RanQuery] = {}
        self._turns = asyncio.Semaphore(MAX_RUNNING)

    def __repr__(self) -> str:
        return f"<Queries {len(self._queries)}>"

    def start(
        self,
        owner: tuple[str, str],
        groups: Sequence[tuple[int, str, int]],
        text: str,
        window_ms: tuple[int, int],
        limit: int,
    ) -> RanQuery:
        """Begin a query over groups (id, name, time from which events are kept). Raises TooManyQueries."""
        if sum(not query.is_over for query in self._queries.values()) >= MAX_KEPT:
            raise TooManyQueries
        query = RanQuery(owner, [name for _, name, _ in groups], text)
        request = {
            "database": str(self._database),
            "groups": [(group_id, f"{owner[0]}:{name}", kept_from_ms) for group_id, name, kept_from_ms in groups],
            "start_ms": window_ms[0],
            "end_ms": window_ms[1],
            "query": text,
            "limit": limit,
        }
        self._queries[query.id] = query
        self._forget_oldest()
        query.task = asyncio.get_running_loop().create_task(self._run(query, request))
        return query

    def get(self, owner: tuple[str, str], query_id: str) -> RanQuery | None:
        query = self._queries.get(query_id)
        return query if query is not None and query.owner == owner else None

    def list(self, owner: tuple[str, str]) -> list[RanQuery]:
        """The newest first."""
        return [query for query in reversed(self._queries.values()) if query.owner == owner]

    def stop(self, query: RanQuery) -> None:
        query.status = "Cancelled"
        if query.task is not None:
            query.task.cancel()

    async def close(self) -> None:
        tasks = [query.task for query in self._queries.values() if query.task is not None and not query.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, query: RanQuery, request: dict[str, Any]) -> None:
        async with self._turns:
            query.status = "Running"
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "headgate.telemetry.insights.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                async with asyncio.timeout(self._query_s):
                    answer, _ = await process.communicate(orjson.dumps(request))
            except TimeoutError:
                query.status = "Timeout"
                return
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
            if process.returncode != 0:
                query.status = "Failed"  # beyond its memory, above all
                return
            read = orjson.loads(answer)
            query.results = read["results"]
            query.matched, query.scanned, query.bytes = read["matched"], read["scanned"], read["bytes"]
            query.size = len(answer)
            query.status = "Complete"
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Down to the bounds; the newest stays in any case."""
        size = sum(query.size for query in self._queries.values())
        for query in list(self._queries.values())[:-1]:
            if len(self._queries) <= MAX_KEPT and size <= MAX_KEPT_BYTES:
                return
            if query.is_over:
                size -= query.size
                del self._queries[query.id]
