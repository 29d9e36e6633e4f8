"""Groups: traces that a filter expression accepts, by a name."""

import secrets
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.control.xray.errors import invalid
from headgate.control.xray.ports import XrayPorts
from headgate.control.xray.tags import begin_tags, end_tags
from headgate.control.xray.traces import read_filter
from headgate.model.scope import Scope
from headgate.telemetry.traces.database import delete_setting, put_setting, settings
from headgate.telemetry.traces.filter_expression import Filter

if TYPE_CHECKING:
    from headgate.wire.shapes import xray as shapes

MAX_GROUPS: Final = 25
_GROUP: Final = "group"
DEFAULT_GROUP: Final = "Default"

Group = dict[str, Any]
"""A Group of the service model."""


async def create_group(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.CreateGroupRequest"
) -> Mapping[str, Any]:
    name = request["GroupName"]
    read_filter(request.get("FilterExpression"))
    arn = f"arn:aws:xray:{scope.region}:{scope.account_id}:group/{name}/{secrets.token_hex(26).upper()[:52]}"
    group = {
        "GroupName": name,
        "GroupARN": arn,
        "FilterExpression": request.get("FilterExpression"),
        "InsightsConfiguration": _insights(request.get("InsightsConfiguration", {})),
    }

    def act(connection: sqlite3.Connection) -> None:
        known = settings(connection, _GROUP, scope)
        if name in known or name == DEFAULT_GROUP:
            raise invalid(f"Group {name} already exists.")
        if len(known) >= MAX_GROUPS:
            raise invalid(f"There are {len(known)} groups already, as many as there can be.")
        put_setting(connection, _GROUP, scope, name, group)
        begin_tags(connection, scope, arn, request.get("Tags", ()))

    await ports.traces.write(act)
    return {"Group": group}


async def get_group(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.GetGroupRequest"
) -> Mapping[str, Any]:
    return {"Group": await ports.traces.read(lambda connection: _found(connection, scope, request))}


async def get_groups(
    ports: XrayPorts, scope: Scope, _now: float, _request: "shapes.GetGroupsRequest"
) -> Mapping[str, Any]:
    """All of them: there are few."""
    groups = await ports.traces.read(lambda connection: settings(connection, _GROUP, scope))
    return {"Groups": list(groups.values())}


async def update_group(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.UpdateGroupRequest"
) -> Mapping[str, Any]:
    read_filter(request.get("FilterExpression"))

    def act(connection: sqlite3.Connection) -> Group:
        group = _found(connection, scope, request)
        if "FilterExpression" in request:
            group["FilterExpression"] = request["FilterExpression"]
        if "InsightsConfiguration" in request:
            group["InsightsConfiguration"] = _insights(request["InsightsConfiguration"])
        put_setting(connection, _GROUP, scope, group["GroupName"], group)
        return group

    return {"Group": await ports.traces.write(act)}


async def delete_group(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.DeleteGroupRequest"
) -> Mapping[str, Any]:
    def act(connection: sqlite3.Connection) -> None:
        group = _found(connection, scope, request)
        delete_setting(connection, _GROUP, scope, group["GroupName"])
        end_tags(connection, scope, group["GroupARN"])

    await ports.traces.write(act)
    return {}


def group_filter(connection: sqlite3.Connection, scope: Scope, request: Mapping[str, Any]) -> Filter:
    """The filter of the group that a request names; of all traces where it names none. Raises ApiError."""
    if request.get("GroupARN") is None and request.get("GroupName") in {None, DEFAULT_GROUP}:
        return read_filter(None)
    return read_filter(_found(connection, scope, request).get("FilterExpression"))


def _found(connection: sqlite3.Connection, scope: Scope, request: Mapping[str, Any]) -> Group:
    """By name or ARN, one of the two. Raises ApiError."""
    name, arn = request.get("GroupName"), request.get("GroupARN")
    if (name is None) == (arn is None):
        raise invalid("Exactly one of GroupName and GroupARN must be given.")
    for group in settings(connection, _GROUP, scope).values():
        if name == group["GroupName"] or arn == group["GroupARN"]:
            found: Group = group
            return found
    raise invalid(f"Group {name or arn} not found.")


def _insights(given: Mapping[str, Any]) -> dict[str, bool]:
    if given.get("InsightsEnabled"):
        raise invalid("InsightsConfiguration.InsightsEnabled is true; there are no insights here, give false")
    return {"InsightsEnabled": False, "NotificationsEnabled": False}
