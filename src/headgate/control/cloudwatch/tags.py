"""Tags of alarms and dashboards, by ARN."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from headgate.control.cloudwatch.alarm_states import find_alarm
from headgate.control.cloudwatch.errors import invalid
from headgate.control.context import Context
from headgate.control.tags import MAX_TAGS, reserved_key, untagged
from headgate.model.alarm import Alarm
from headgate.model.dashboard import Dashboard
from headgate.model.errors import ApiError

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes

_ARN: Final = re.compile(
    r"arn:aws[\w-]*:cloudwatch:(?P<region>[\w-]*):(?P<account>\d{12}):(?P<kind>alarm:|dashboard/)(?P<name>.+)",
    re.DOTALL,
)


def list_tags(context: Context, request: "shapes.ListTagsForResourceInput") -> Mapping[str, Any]:
    tags = _find(context, request["ResourceARN"]).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tag_resource(context: Context, request: "shapes.TagResourceInput") -> None:
    tagged = _find(context, request["ResourceARN"])
    _put(context, tagged, tags_of(request["Tags"], tagged.tags))


def untag_resource(context: Context, request: "shapes.UntagResourceInput") -> None:
    tagged = _find(context, request["ResourceARN"])
    _put(context, tagged, untagged(tagged.tags, request["TagKeys"]))


def tags_of(given: Iterable[Any], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """The tags, with those there were. Raises ApiError."""
    tags = {**(before or {}), **{each["Key"]: each["Value"] for each in given}}
    if reserved := reserved_key(tags):
        raise invalid(f"The tag key {reserved} is invalid: keys beginning with aws: are reserved.")
    if len(tags) > MAX_TAGS:
        raise invalid(f"The resource would have {len(tags)} tags; it may have {MAX_TAGS}.")
    return tags


def _find(context: Context, arn: str) -> Alarm | Dashboard:
    found = _ARN.fullmatch(arn)
    if found is None:
        raise invalid(f"Invalid ResourceARN {arn}: give the ARN of an alarm or of a dashboard.")
    scope = context.scope
    resource: Alarm | Dashboard | None = None
    if found["account"] == scope.account_id:
        if found["kind"] == "dashboard/":
            resource = context.tx.get(Dashboard, scope.account_id, found["name"])
        elif found["region"] == scope.region:
            resource = find_alarm(context.tx, (scope.account_id, scope.region, found["name"]))
    if resource is None:
        raise ApiError("ResourceNotFoundException", f"The resource {arn} does not exist.", 404)
    return resource


def _put(context: Context, tagged: Alarm | Dashboard, tags: dict[str, str]) -> None:
    changed = replace(tagged, tags=tags)
    key = (changed.account_id, changed.dashboard_name) if isinstance(changed, Dashboard) else changed.key
    context.tx.put(changed, *key)
