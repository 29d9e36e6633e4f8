"""The history of a stage in the store: written with the move, and bounded."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from headgate.control.apigateway.stage_history import record
from headgate.control.context import Context
from headgate.model.ids import DeploymentId, StageName
from headgate.model.scope import Scope
from headgate.model.stage import Stage
from headgate.model.stage_history import MAX_ENDED, MAX_MOVES, StageHistory, StageMove
from headgate.store.sqlite import SqliteStore
from headgate.store.transaction import Transaction
from unit.dataplane.builders import ACCOUNT, API, REGION


def _stage(deployment_id: str, name: str = "prod") -> Stage:
    return Stage(
        stage_name=StageName(name),
        deployment_id=DeploymentId(deployment_id),
        created_date=1.0,
        last_updated_date=1.0,
        rest_api_id=API,
        account_id=ACCOUNT,
        region=REGION,
    )


def _after(tmp_path: Path, act: Callable[[Context], None]) -> tuple[list[StageMove], list[StageHistory]]:
    """What stands in the store once `act` has run."""

    async def run() -> tuple[list[StageMove], list[StageHistory]]:
        store = SqliteStore(tmp_path / "test.db", lambda _tx, _changes: lambda: None, durable=False)

        def write(tx: Transaction) -> None:
            act(Context(tx, Scope(account_id=ACCOUNT, region=REGION, access_key="AKIA"), 5.0, "UpdateStage", "a/1"))

        def read(tx: Transaction) -> tuple[list[StageMove], list[StageHistory]]:
            return tx.list(StageMove, API, "prod"), tx.list(StageHistory, API)

        try:
            await store.write(write)
            return await store.read(read)
        finally:
            store.close()

    return asyncio.run(run())


def test_a_move_says_which_operation_made_it_for_whom_and_when(tmp_path: Path) -> None:
    (move,), _ = _after(tmp_path, lambda context: record(context, None, _stage("d1")))

    assert (move.operation, move.access_key, move.user_agent, move.at) == ("UpdateStage", "AKIA", "a/1", 5.0)


def test_the_oldest_moves_go_at_the_bound(tmp_path: Path) -> None:
    def act(context: Context) -> None:
        for number in range(MAX_MOVES + 3):
            record(context, _stage(f"d{number}"), _stage(f"d{number + 1}"))

    moves, (history,) = _after(tmp_path, act)

    assert [each.number for each in moves] == list(range(4, MAX_MOVES + 4))
    assert (history.first, history.following) == (4, MAX_MOVES + 4)


def test_of_deleted_stages_the_oldest_histories_go_and_of_live_ones_none(tmp_path: Path) -> None:
    def act(context: Context) -> None:
        record(context, None, _stage("d1"))
        for number in range(MAX_ENDED + 2):
            preview = _stage("d1", f"preview-{number:03}")
            record(context, None, preview)
            record(context, preview, None)

    moves, histories = _after(tmp_path, act)

    assert len(moves) == 1
    assert len(histories) == MAX_ENDED + 1
    assert {each.stage_name for each in histories} >= {"prod", f"preview-{MAX_ENDED + 1:03}"}


def test_a_stage_that_is_made_again_goes_on_with_its_numbers(tmp_path: Path) -> None:
    def act(context: Context) -> None:
        for before, after in ((None, _stage("d1")), (_stage("d1"), None), (None, _stage("d2"))):
            record(context, before, after)

    moves, (history,) = _after(tmp_path, act)

    assert [each.number for each in moves] == [1, 2, 3]
    assert history.ended_at is None
