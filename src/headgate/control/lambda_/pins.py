"""Pins of canaries (docs/canaries.md): a version that a stage runs by one is not deleted."""

from headgate.control.context import Context
from headgate.control.lambda_.errors import conflict
from headgate.model.arn import FunctionRef
from headgate.model.stage import Stage


def check_unpinned(context: Context, function: FunctionRef) -> None:
    """Refuse to delete a version, or the whole function where there is no qualifier, that a stage's canary pins."""
    if users := [f"{each.rest_api_id}/{each.stage_name}" for each in context.tx.list(Stage) if _pins(each, function)]:
        what = "version" if function.qualifier else "function"
        raise conflict(
            f"Unable to delete {what} because the canaries of the following stages pin it: [{', '.join(users)}]"
        )


def _pins(stage: Stage, function: FunctionRef) -> bool:
    canary = stage.canary_settings
    if canary is None or (stage.account_id, stage.region) != (function.account_id, function.region):
        return False
    return any(
        name.partition(":")[0] == function.name and function.qualifier in {"", version}
        for pins in (canary.function_versions, canary.base_function_versions)
        for name, version in (pins or {}).items()
    )
