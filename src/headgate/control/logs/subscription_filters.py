"""Subscription filters: patterns whose matches are delivered to a function."""

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from headgate.control.logs.errors import invalid, not_found
from headgate.control.logs.events import compiled
from headgate.control.logs.lookup import change, find_group, look
from headgate.control.logs.metric_filters import delete_filter, put_filter
from headgate.control.logs.paging import decode_token, encode_token, next_name
from headgate.control.logs.ports import LogsPorts
from headgate.model.arn import log_group_arn, parse_function_arn
from headgate.model.scope import Scope
from headgate.telemetry.log_store import Writing

if TYPE_CHECKING:
    from headgate.wire.shapes import logs as shapes

MAX_FILTERS: Final = 2  # of one group
_PAGE: Final = 50


async def put_subscription_filter(
    ports: LogsPorts, scope: Scope, now: float, request: "shapes.PutSubscriptionFilterRequest"
) -> None:
    compiled(request["filterPattern"])
    destination = request["destinationArn"]
    function = parse_function_arn(destination)
    if function is None:
        raise invalid(
            f"destinationArn {destination} is not supported by Headgate: give the ARN of a Lambda function; "
            "Kinesis streams, Firehose streams and destinations cannot be delivered to"
        )
    for member in ("fieldSelectionCriteria", "emitSystemFields"):
        if request.get(member):
            raise invalid(f"{member} is not supported by Headgate: give a filter without it")
    if request.get("roleArn"):
        raise invalid("destinationArn for vendor lambda cannot be used with roleArn")
    body: dict[str, Any] = {"filterPattern": request["filterPattern"], "destinationArn": destination}
    body["distribution"] = request.get("distribution", "ByLogStream")
    source = log_group_arn(scope.region, scope.account_id, request["logGroupName"])

    await look(ports, lambda connection: find_group(connection, scope, request["logGroupName"]))
    if not ports.may_deliver(function, f"{source}:*"):
        raise invalid(
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute "
            "your function."
        )

    def act(writing: Writing) -> None:
        group = find_group(writing.connection, scope, request["logGroupName"])
        name, now_ms = request["filterName"], int(now * 1000)
        put_filter(writing, "subscription_filter", group.id, name, now_ms, body, most=MAX_FILTERS)

    await change(ports, act)


async def describe_subscription_filters(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.DescribeSubscriptionFiltersRequest"
) -> Mapping[str, Any]:
    position = decode_token(request.get("nextToken"), "subscription-filters")
    prefix = request.get("filterNamePrefix", "")

    def act(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        group = find_group(connection, scope, request["logGroupName"])
        rows = connection.execute(
            "SELECT name, created_ms, body FROM subscription_filter WHERE group_id = ? AND name > ? ORDER BY name",
            (group.id, position),
        )
        return [
            {"filterName": name, "logGroupName": group.name, "creationTime": created_ms, **orjson.loads(body)}
            for name, created_ms, body in rows
            if name.startswith(prefix)
        ]

    shown, following = next_name(
        await look(ports, act), request.get("limit", _PAGE), lambda each: str(each["filterName"])
    )
    return {"subscriptionFilters": shown, "nextToken": encode_token(following, "subscription-filters")}


async def delete_subscription_filter(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.DeleteSubscriptionFilterRequest"
) -> None:
    def act(writing: Writing) -> None:
        group = find_group(writing.connection, scope, request["logGroupName"])
        if not delete_filter(writing, "subscription_filter", group.id, request["filterName"]):
            raise not_found("subscription filter")

    await change(ports, act)
