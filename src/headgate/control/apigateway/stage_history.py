"""The history of a stage, written in the transaction that moves it: bounded, and kept for a while after its end."""

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.model.deployment import Deployment
from headgate.model.stage import Stage
from headgate.model.stage_history import MAX_ENDED, MAX_MOVES, StageHistory, StageMove, move_of


def record(context: Context, before: Stage | None, after: Stage | None) -> None:
    """Write down what this operation makes of a stage, where it serves otherwise than before."""
    stage = after or before
    if stage is None:
        return
    tx, key = context.tx, (stage.rest_api_id, stage.stage_name)

    def describe(deployment_id: str) -> str | None:
        deployment = tx.get(Deployment, stage.rest_api_id, deployment_id)
        return None if deployment is None else deployment.description

    history = tx.get(StageHistory, *key) or StageHistory(stage_name=stage.stage_name)
    move = move_of(
        before,
        after,
        number=history.following,
        at=context.now,
        operation=context.operation,
        access_key=context.scope.access_key,
        user_agent=context.user_agent,
        describe=describe,
    )
    if move is None:
        return
    tx.put(move, *key, _number(move.number))
    first = history.first
    if move.number - first >= MAX_MOVES:
        tx.delete(StageMove, *key, _number(first))
        first += 1
    ended_at = context.now if after is None else None
    tx.put(replace(history, first=first, following=move.number + 1, ended_at=ended_at), *key)
    if after is None:
        _forget_the_oldest(context, stage.rest_api_id)


def _forget_the_oldest(context: Context, api_id: str) -> None:
    ended = [each for each in context.tx.list(StageHistory, api_id) if each.ended_at is not None]
    ended.sort(key=lambda each: each.ended_at or 0.0)
    for history in ended[:-MAX_ENDED]:
        context.tx.delete_all(StageMove, api_id, history.stage_name)
        context.tx.delete(StageHistory, api_id, history.stage_name)


def _number(number: int) -> str:
    """So that the order of the keys is the order of the numbers."""
    return f"{number:010}"
