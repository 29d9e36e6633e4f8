from collections.abc import Iterator

import pytest

from support.apis import Api
from support.server import RunningServer, running


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """One server for all wire tests; each test makes what it needs and leaves the rest alone."""
    with running("--ephemeral") as started:
        yield started


@pytest.fixture
def api(server: RunningServer) -> Api:
    """A new API with nothing but its root."""
    return Api(server)


@pytest.fixture
def staged(api: Api) -> Api:
    """An API whose root answers GET with "one", deployed to the stage `prod`."""
    api.mock(api.root, body="one")
    api.deploy("prod")
    return api
