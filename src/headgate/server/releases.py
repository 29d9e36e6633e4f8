"""This server's releases: their state file, the pages that speak of them, and the process that drives them."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from headgate.model.scope import Scope
from headgate.release.events import SELF
from headgate.release.holder import has_ended
from headgate.release.service import ReleaseService
from headgate.release.targets import FindApi, stage_target
from headgate.server.release_pages import ReleasePages
from headgate.server.release_worker import ReleaseWorker
from headgate.store.release_store import ReleaseStore


class ServerReleases:
    def __init__(self, state: Path, endpoint_url: str, find_api: FindApi, *, commands: bool) -> None:
        """`commands`: whether they may run commands. Raises StateFileError."""
        self._store = ReleaseStore(state, has_ended=has_ended)
        self._worker = ReleaseWorker(state, endpoint_url, self._has_open)
        self._service = ReleaseService(self._store, find_api=find_api)
        self.pages: Final = ReleasePages(self._service, self._worker.poke, endpoint_url=SELF, commands=commands)

    def __repr__(self) -> str:
        return f"<ServerReleases {self._worker}>"

    def start(self) -> None:
        """Go on with what a stop or a crash has left, now that its own requests are answered."""
        self._worker.poke()

    def open_on(self, scope: Scope, apis: Collection[str], stage: str) -> str | None:
        """The release on its way on a stage of an API, by any of its names. It blocks for the state file."""
        return self._service.open_on(scope.account_id, {stage_target(scope.region, api, stage) for api in apis})

    async def close(self) -> None:
        await self._worker.close()
        self._store.close()

    def _has_open(self) -> bool:
        return any(each.is_open for each in self._store.headers())
