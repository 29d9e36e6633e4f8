"""The process that drives this server's releases: started when there is one, ended with the last.

A process of its own, so that boto3 and the statistics take nothing from the gateway's core, and so that a controller
that dies takes nothing with it: another is started, and goes on from the journal.
"""

import asyncio
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

_log = logging.getLogger("headgate.release")

_AGAIN_S: Final = 1.0  # after a controller that failed
_END_S: Final = 10.0  # that one has to end what it does


class ReleaseWorker:
    def __init__(self, state: Path, endpoint_url: str, has_open: Callable[[], bool]) -> None:
        self._arguments = ("--state", str(state), "--endpoint-url", endpoint_url)
        self._has_open = has_open
        self._wanted = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._task = asyncio.create_task(self._run())

    def __repr__(self) -> str:
        return f"<ReleaseWorker {'idle' if self._process is None else self._process.pid}>"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def poke(self) -> None:
        """There is something to do, or somebody has told a release something."""
        self._wanted.set()
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(b"\n")

    async def close(self) -> None:
        """A release that is on its way stays where it is, and goes on at the next start."""
        self._task.cancel()
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()  # it ends by itself when nobody holds the other end, so also after our kill -9
        try:
            await asyncio.wait_for(process.wait(), _END_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while await self._is_wanted():
                try:
                    status = await self._work()
                except OSError as error:  # no more processes, or files, for now
                    _log.error("the release controller cannot be started: %s; it is tried again", error)
                    status = 1
                else:
                    if status:
                        _log.error("the release controller ended with status %s; another is started", status)
                if status:
                    await asyncio.sleep(_AGAIN_S)

    async def _is_wanted(self) -> bool:
        """Whether a release is open; asked again while the state file does not say, as a full disk may not for long."""
        while True:
            try:
                return await asyncio.to_thread(self._has_open)
            except Exception:
                _log.exception("the state file of releases cannot be read; it is tried again")
                await asyncio.sleep(_AGAIN_S)

    async def _work(self) -> int:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "headgate", "release", "work", *self._arguments, stdin=asyncio.subprocess.PIPE
        )
        try:
            return await self._process.wait()
        finally:
            if self._process.returncode is not None:
                self._process = None
