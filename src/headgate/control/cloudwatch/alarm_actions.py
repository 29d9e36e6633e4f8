"""What an alarm can tell of its state: topics, functions, and webhooks that headgate.toml names."""

import re
from collections.abc import Collection, Mapping
from enum import Enum, auto
from typing import Any, Final

from headgate.control.cloudwatch.errors import validation
from headgate.model.arn import parse_function_arn

MAX_ACTIONS: Final = 5  # of one state
_TOPIC_ARN: Final = re.compile(r"arn:aws[\w-]*:sns:[\w-]+:\d{12}:[\w-]{1,256}", re.ASCII)  # FIFO topics take no alarms
# Of the form that Terraform's provider takes for an ARN, which wants the partition to be one of AWS's.
_WEBHOOK_ARN: Final = re.compile(r"arn:aws:headgate:[\w-]*:\d*:webhook/([\w.-]+)", re.ASCII)


class ActionKind(Enum):
    TOPIC = auto()
    FUNCTION = auto()
    WEBHOOK = auto()


def kind_of(arn: str) -> ActionKind | None:
    """None for what cannot be told."""
    if _TOPIC_ARN.fullmatch(arn):
        return ActionKind.TOPIC
    if parse_function_arn(arn) is not None:
        return ActionKind.FUNCTION
    return ActionKind.WEBHOOK if webhook_name(arn) is not None else None


def webhook_name(arn: str) -> str | None:
    """The name in headgate.toml; None where this is no webhook's ARN."""
    found = _WEBHOOK_ARN.fullmatch(arn)
    return None if found is None else found[1]


def actions_of(given: Mapping[str, Any], webhooks: Collection[str]) -> dict[str, Any]:
    """Whom a put alarm tells of which state, as the fields of an alarm of either kind. Raises ApiError."""
    return {
        "actions_enabled": given.get("ActionsEnabled", True),
        "ok_actions": check_actions("OKActions", given.get("OKActions", ()), webhooks),
        "alarm_actions": check_actions("AlarmActions", given.get("AlarmActions", ()), webhooks),
        "insufficient_data_actions": check_actions(
            "InsufficientDataActions", given.get("InsufficientDataActions", ()), webhooks
        ),
    }


def check_actions(member: str, arns: Collection[str], webhooks: Collection[str]) -> tuple[str, ...]:
    """The ARNs as given. Raises ApiError for one that nothing can be sent to: no alarm promises what it cannot do."""
    for arn in arns:
        if kind_of(arn) is None:
            raise validation(
                f"Invalid arn in {member}: {arn}. Headgate tells SNS topics (arn:aws:sns:...), functions "
                "(arn:aws:lambda:...:function:...) and webhooks (arn:aws:headgate:::webhook/NAME)"
            )
        name = webhook_name(arn)
        if name is not None and name not in webhooks:
            known = f"known are {', '.join(sorted(webhooks))}" if webhooks else "none are there"
            raise validation(f"{member}: there is no webhook {name} under [alarm_webhooks] in headgate.toml; {known}")
    return tuple(arns)
