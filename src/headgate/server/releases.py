"""This server's releases: their state file, the pages that speak of them, and the process that drives them."""

from pathlib import Path
from typing import Final

from headgate.release.events import SELF
from headgate.release.holder import has_ended
from headgate.release.service import ReleaseService
from headgate.server.release_pages import ReleasePages
from headgate.server.release_worker import ReleaseWorker
from headgate.store.release_store import ReleaseStore


class ServerReleases:
    def __init__(self, state: Path, endpoint_url: str, *, commands: bool) -> None:
        """`commands`: whether they may run commands. Raises StateFileError."""
        self._store = ReleaseStore(state, has_ended=has_ended)
        self._worker = ReleaseWorker(state, endpoint_url, self._has_open)
        self.pages: Final = ReleasePages(
            ReleaseService(self._store), self._worker.poke, endpoint_url=SELF, commands=commands
        )

    def __repr__(self) -> str:
        return f"<ServerReleases {self._worker}>"

    def start(self) -> None:
        """Go on with what a stop or a crash has left, now that its own requests are answered."""
        self._worker.poke()

    async def close(self) -> None:
        await self._worker.close()
        self._store.close()

    def _has_open(self) -> bool:
        return any(each.is_open for each in self._store.headers())
