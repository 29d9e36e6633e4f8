"""Which release has the say on a stage."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from headgate.release.rollout import Phase
from headgate.release.service import ReleaseError, ReleaseService, StartRequest
from headgate.release.targets import stage_target
from headgate.store.release_store import ReleaseStore
from unit.release.worlds import CANARY, Play

_FILE = """
release: orders-2.1
api: orders
stage: prod
strategy: blue-green
green: idle
change: {deployment: current}
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReleaseStore]:
    store = ReleaseStore(tmp_path / "releases.db")
    yield store
    store.close()


@pytest.fixture
def service(store: ReleaseStore) -> ReleaseService:
    """Of one release, that is on its way."""
    service = ReleaseService(store)
    service.start(StartRequest(text=_FILE, region="eu-west-1", account_id="111122223333"))
    return service


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


def test_a_release_that_is_over_has_no_say(store: ReleaseStore, service: ReleaseService) -> None:
    lease = store.acquire("orders-2.1", "holder", 60.0)
    assert lease is not None
    assert store.close_release("orders-2.1", lease, store.entries("orders-2.1")[-1].number)

    assert service.open_on("111122223333", {stage_target("eu-west-1", "orders", "prod")}) is None


def test_a_release_is_not_rolled_back_while_another_moves_the_same() -> None:
    with closing(Play()) as play:
        play.run()
        play.service.start(StartRequest(text=CANARY.replace("orders-2", "orders-3"), actor="ann"))

        with pytest.raises(ReleaseError, match="release orders-3 is on its way and moves us-east-1/orders/prod too"):
            play.service.command("orders-2", "rollback", "ann")

        assert play.rollout.phase is Phase.PROMOTED


def test_a_release_is_not_rolled_back_under_a_later_one() -> None:
    with closing(Play()) as play:
        play.run()
        play.clock.now += 1
        later = Play(CANARY.replace("orders-2", "orders-3"), of=play)
        later.run()

        with pytest.raises(ReleaseError, match="release orders-3 came later"):
            play.service.command("orders-2", "rollback", "ann")

        play.service.command("orders-3", "rollback", "ann")
        later.run()
        play.service.command("orders-2", "rollback", "ann")
        assert play.run().phase is Phase.ROLLED_BACK


def test_a_row_of_a_notification_has_its_own_number_and_that_of_what_it_is_about() -> None:
    with closing(Play(CANARY + "notify: [{webhook: 'http://127.0.0.1:1/'}]\n")) as play:
        play.run()

        rows = play.service.history(play.name)
        assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
        (ended,) = (row["number"] for row in rows if row["event"] == "Ended")
        assert [row["about"] for row in rows if row["event"] == "Told"][-1] == ended


@pytest.mark.parametrize(
    ("verb", "actor", "region", "words"),
    [
        ("approve", "eve", None, "eve may not approve release orders-2: ann, bob may"),
        ("resume", "ann", None, "waits for an approval: approve or reject it"),
        ("abort", "ann", "us-east-1", "abort is of the whole release"),
    ],
)
def test_what_would_mean_nothing_is_refused_and_not_written(
    verb: str, actor: str, region: str | None, words: str
) -> None:
    with closing(Play(CANARY.replace("bake: 1m}", "bake: 1m, approval: {by: [ann, bob]}}"))) as play:
        play.run(until=lambda rollout: rollout.waits_for_person)
        rows = play.store.entries(play.name)

        with pytest.raises(ReleaseError, match=words):
            play.service.command(play.name, verb, actor, region=region)

        assert play.store.entries(play.name) == rows
        play.service.command(play.name, "approve", "bob")
        assert play.run().phase is Phase.PROMOTED
