"""Which release has the say on a stage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.release.service import ReleaseService, StartRequest, stage_target
from headgate.store.release_store import ReleaseStore

_FILE = """
release: orders-2.1
api: orders
stage: prod
strategy: blue-green
green: idle
change: {deployment: current}
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ReleaseService]:
    store = ReleaseStore(tmp_path / "releases.db")
    service = ReleaseService(store)
    service.start(StartRequest(text=_FILE, region="eu-west-1", account_id="111122223333"))
    yield service
    store.close()


@pytest.mark.parametrize(
    ("account_id", "target", "name"),
    [
        ("111122223333", ("eu-west-1", "orders", "prod"), "orders-2.1"),
        ("111122223333", ("eu-west-1", "orders", "idle"), "orders-2.1"),
        ("111122223333", ("us-east-1", "orders", "prod"), None),
        ("111122223333", ("eu-west-1", "bills", "prod"), None),
        ("111122223333", ("eu-west-1", "orders", "staging"), None),
        ("000000000000", ("eu-west-1", "orders", "prod"), None),
    ],
    ids=["its stage", "its other stage", "another region", "another API", "another stage", "another account"],
)
def test_an_open_release_has_the_say_on_what_it_moves(
    service: ReleaseService, account_id: str, target: tuple[str, str, str], name: str | None
) -> None:
    assert service.open_on(account_id, {"elsewhere", stage_target(*target)}) == name
