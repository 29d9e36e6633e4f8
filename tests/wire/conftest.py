from collections.abc import Iterator

import pytest

from support.server import RunningServer, running


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """One server for all wire tests; each test makes what it needs and leaves the rest alone."""
    with running("--ephemeral") as started:
        yield started
