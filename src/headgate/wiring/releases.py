"""The server's releases: their state file, and how they find the APIs that release files name."""

import asyncio

from headgate.control.apigateway.deployed import find_named_api
from headgate.control.context import Context, Store
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.release.events import Started
from headgate.release.failures import Refused
from headgate.release.targets import FindApi
from headgate.server.releases import ServerReleases
from headgate.settings import Settings
from headgate.store.release_store import DATABASE, StateFileError
from headgate.wiring.start_error import StartError
from headgate.wiring.state import State


def open_releases(settings: Settings, state: State, endpoint_url: str) -> ServerReleases:
    """The server's releases, in a file of their own. `endpoint_url` is the control plane's. Raises StartError.

    Called on the event loop.
    """
    find_api = _finding(state.store, settings.account_id)
    try:
        return ServerReleases(state.folder / DATABASE, endpoint_url, find_api, commands=settings.release_commands)
    except StateFileError as error:
        raise StartError(str(error)) from error


def _finding(store: Store, default_account: str) -> FindApi:
    loop = asyncio.get_running_loop()

    def find_api(started: Started, region: str, api: str) -> str:
        """Releases are asked for on threads, and the store on the event loop."""
        scope = Scope(account_id=started.account_id or default_account, region=region)
        found = store.read(lambda tx: find_named_api(Context(tx, scope, 0.0), api))
        try:
            return asyncio.run_coroutine_threadsafe(found, loop).result().id
        except ApiError as error:
            raise Refused(error.message) from error

    return find_api
