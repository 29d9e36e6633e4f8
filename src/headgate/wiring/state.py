"""What one server keeps, and where: its folder, the store in it, and the place where functions run."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Final

from headgate.functions import isolation
from headgate.functions.isolation import Isolation
from headgate.settings import Settings
from headgate.store.folder import DataFolder, DataFolderError
from headgate.store.key import find_key
from headgate.store.sealing import Sealed
from headgate.store.sqlite import SqliteStore
from headgate.store.transaction import Prepare
from headgate.wiring.start_error import StartError


class State:
    """The data folder, locked, or a temporary one with --ephemeral. Closed last of all."""

    def __init__(self, settings: Settings, isolated: Isolation, prepare: Prepare) -> None:
        """`prepare` is what the store calls before each commit. Raises StartError."""
        self._settings = settings
        self.folder: Final = (
            Path(tempfile.mkdtemp(prefix="headgate-")) if settings.ephemeral else settings.data.resolve()
        )
        try:
            self._lock = DataFolder(self.folder)
        except DataFolderError as error:
            raise StartError(str(error)) from error
        self.functions_place: Final = isolation.workplace(self.folder, isolated)
        self.store: Final = SqliteStore(self._lock.database, prepare, durable=not settings.ephemeral)

    def __repr__(self) -> str:
        return f"<State {self.folder}, {self.store}>"

    async def unlock(self) -> None:
        """Find the key that secrets are sealed with: before anything is read. Raises StartError, closed again."""
        settings = self._settings
        key_file = Path(settings.key_file) if settings.key_file else None
        try:
            key = await self.store.write(lambda tx: find_key(tx, self.folder, settings.key, key_file))
        except DataFolderError as error:
            self.store.close()
            self._lock.close()
            raise StartError(str(error)) from error
        self.store.sealing = Sealed(key)

    async def close(self) -> None:
        self.store.close()
        await asyncio.to_thread(isolation.leave, self.folder)
        self._lock.close()
        if self._settings.ephemeral:
            await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)


def choose_isolation(settings: Settings) -> Isolation:
    """How functions are kept apart. It blocks. Raises StartError."""
    try:
        return isolation.choose(
            sandbox=settings.sandbox,
            network=settings.function_network,
            user=settings.function_user,
            data=settings.data.resolve(),
        )
    except isolation.IsolationError as error:
        raise StartError(str(error)) from error
