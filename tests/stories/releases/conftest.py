from collections.abc import Iterator
from pathlib import Path

import pytest

from support.releases import Versions, serving_versions
from support.server import RunningServer, running


@pytest.fixture(scope="module")
def versions() -> Iterator[Versions]:
    with serving_versions() as versions:
        yield versions


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("server")
    with running("--data", str(folder / "data"), environment={"HEADGATE_RELEASE_COMMANDS": "true"}) as server:
        yield server
