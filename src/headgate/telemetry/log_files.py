"""Function logs as files, one per log group: `logs/aws/lambda/{name}.log` in the data folder.

Lines are gathered and written once a second, away from the event loop. When the disk cannot keep up, the lines that
wait longest are dropped and their number is written in their place.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from pathlib import Path
from typing import Final

_log = logging.getLogger("headgate.logs")

FLUSH_S: Final = 1.0
MAX_GATHERED: Final = 200_000  # lines of all groups together that wait to be written
MAX_FILE_BYTES: Final = 16 * 1024 * 1024  # then the file becomes `.log.1`, in place of the one before


class LogFiles:
    """The log sink of function environments; see `functions.logs.LogSink`."""

    def __init__(self, root: Path, max_gathered: int = MAX_GATHERED, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        self._root = root
        self._max_gathered = max_gathered
        self._max_file_bytes = max_file_bytes
        self._gathered: deque[tuple[str, str]] = deque(maxlen=max_gathered)  # group, and the line as it is written
        self._dropped = 0
        self._flushing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._at = (-1, "")  # a millisecond and its text: the lines of a call share one

    def __repr__(self) -> str:
        return f"<LogFiles {self._root}, {len(self._gathered)} lines gathered>"

    def write(self, group: str, stream: str, timestamp_ms: int, line: str) -> None:
        gathered = self._gathered
        if len(gathered) == self._max_gathered:
            self._dropped += 1
        if self._at[0] != timestamp_ms:
            self._at = (timestamp_ms, _timestamp(timestamp_ms))
        gathered.append((group, f"{self._at[1]} {stream} {line}\n"))
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush_on())

    async def close(self) -> None:
        """Write what is gathered."""
        self._closing.set()
        if self._flushing is not None:
            await self._flushing  # not cancelled: it may be in the middle of writing
        await self._flush()

    def path_of(self, group: str) -> Path:
        """The file of a log group. Owners choose group names, so no part of one may lead out of the folder."""
        parts = [part for part in group.split("/") if part not in {"", ".", ".."}] or ["unnamed"]
        return self._root.joinpath(*parts[:-1], f"{parts[-1]}.log")

    async def _flush_on(self) -> None:
        while self._gathered:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), FLUSH_S)
            await self._flush()
        self._flushing = None

    async def _flush(self) -> None:
        gathered, self._gathered = self._gathered, deque(maxlen=self._max_gathered)
        dropped, self._dropped = self._dropped, 0
        texts: dict[str, list[str]] = {}
        for group, line in gathered:
            texts.setdefault(group, []).append(line)
        for group, lines in texts.items():
            if dropped:
                lines.insert(0, f"{dropped} lines were dropped: the disk did not keep up\n")
                dropped = 0
            try:
                await asyncio.to_thread(_append, self.path_of(group), "".join(lines), self._max_file_bytes)
            except OSError as error:
                # A full disk, or a name that makes no file. Neither may end the writing of the other groups.
                _log.warning("%d lines of log group %s are lost: %s", len(lines), group, error)


def _append(path: Path, text: str, max_file_bytes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", errors="replace") as file:
        file.write(text)
        full = file.tell() > max_file_bytes
    if full:
        path.replace(path.with_name(path.name + ".1"))


def _timestamp(timestamp_ms: int) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(timestamp_ms // 1000))
    return f"{seconds}.{timestamp_ms % 1000:03d}Z"
