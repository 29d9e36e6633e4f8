"""Function logs as files, one per log group: `logs/aws/lambda/{name}.log` in the data folder.

Lines are gathered and written once a second, away from the event loop. When the disk cannot keep up, the oldest lines
are dropped and their number is written in their place.
"""

import asyncio
import contextlib
import time
from collections import deque
from pathlib import Path
from typing import Final

FLUSH_S: Final = 1.0
MAX_GATHERED: Final = 200_000  # lines of all groups together that wait to be written
MAX_FILE_BYTES: Final = 16 * 1024 * 1024  # then the file becomes `.log.1`, in place of the one before


class LogFiles:
    """The log sink of function environments; see `functions.logs.LogSink`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._gathered: deque[tuple[str, str, int, str]] = deque(maxlen=MAX_GATHERED)
        self._dropped = 0
        self._flushing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<LogFiles {self._root}, {len(self._gathered)} lines gathered>"

    def write(self, group: str, stream: str, timestamp_ms: int, line: str) -> None:
        gathered = self._gathered
        if len(gathered) == MAX_GATHERED:
            self._dropped += 1
        gathered.append((group, stream, timestamp_ms, line))
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush_later())

    async def close(self) -> None:
        """Write what is gathered."""
        if self._flushing is not None:
            self._flushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._flushing
        await self._flush()

    async def _flush_later(self) -> None:
        while self._gathered:
            await asyncio.sleep(FLUSH_S)
            await self._flush()
        self._flushing = None

    async def _flush(self) -> None:
        lines = list(self._gathered)
        self._gathered.clear()
        dropped, self._dropped = self._dropped, 0
        if lines:
            await asyncio.to_thread(self._append, lines, dropped)

    def _append(self, lines: list[tuple[str, str, int, str]], dropped: int) -> None:
        texts: dict[str, list[str]] = {}
        for group, stream, timestamp_ms, line in lines:
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(timestamp_ms // 1000))
            texts.setdefault(group, []).append(f"{at}.{timestamp_ms % 1000:03d}Z {stream} {line.rstrip()}\n")
        if dropped:
            next(iter(texts.values())).insert(0, f"{dropped} lines were dropped: the disk did not keep up\n")
        for group, written in texts.items():
            path = self.path_of(group)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.writelines(written)
                full = file.tell() > MAX_FILE_BYTES
            if full:
                path.replace(path.with_name(path.name + ".1"))

    def path_of(self, group: str) -> Path:
        """The file of a log group. Owners choose group names, so no part of one may lead out of the folder."""
        parts = [part for part in group.split("/") if part not in {"", ".", ".."}] or ["unnamed"]
        return self._root.joinpath(*parts[:-1], f"{parts[-1]}.log")
