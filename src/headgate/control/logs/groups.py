"""Log groups and how long they keep their events."""

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from headgate.control.logs.errors import already_exists, constraint, group_not_found, invalid
from headgate.control.logs.lookup import Group, change, find_group, group_name, look
from headgate.control.logs.paging import decode_token, encode_token, next_name
from headgate.control.logs.ports import LogsPorts
from headgate.control.logs.tags import check_tags
from headgate.model.arn import log_group_arn
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.telemetry.log_store import Writing

if TYPE_CHECKING:
    from headgate.wire.shapes import logs as shapes

RETENTION_DAYS: Final = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
_PAGE: Final = 50


async def create_log_group(ports: LogsPorts, scope: Scope, now: float, request: "shapes.CreateLogGroupRequest") -> None:
    name = request["logGroupName"]
    if name.startswith("aws/"):
        raise invalid("Log groups starting with AWS/ are reserved for AWS.")
    tags = check_tags(request.get("tags", {}), log_group_arn(scope.region, scope.account_id, name))

    def act(writing: Writing) -> None:
        try:
            writing.connection.execute(
                "INSERT INTO log_group (account_id, region, name, created_ms, class, kms_key_id, is_protected, tags) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    scope.account_id,
                    scope.region,
                    name,
                    int(now * 1000),
                    request.get("logGroupClass", "STANDARD"),
                    request.get("kmsKeyId"),
                    request.get("deletionProtectionEnabled", False),
                    orjson.dumps(tags).decode(),
                ),
            )
        except sqlite3.IntegrityError as error:
            raise already_exists("log group") from error

    await change(ports, act)


async def delete_log_group(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.DeleteLogGroupRequest"
) -> None:
    """Its events go slice by slice; they are out of sight at once."""

    def act(writing: Writing) -> None:
        group = find_group(writing.connection, scope, request["logGroupName"])
        if group.is_protected:
            raise ApiError(
                "ValidationException",
                f"Log group {group.name} is protected from deletion; switch deletionProtectionEnabled off first",
            )
        for table in ("log_stream", "metric_filter", "subscription_filter"):
            writing.connection.execute(f"DELETE FROM {table} WHERE group_id = ?", (group.id,))
        writing.connection.execute("DELETE FROM log_group WHERE id = ?", (group.id,))
        writing.connection.execute("INSERT INTO doomed VALUES ('group', ?)", (group.id,))
        writing.forget()

    await change(ports, act)


async def describe_log_groups(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.DescribeLogGroupsRequest"
) -> Mapping[str, Any]:
    prefix, pattern = request.get("logGroupNamePrefix"), request.get("logGroupNamePattern")
    if prefix is not None and pattern is not None:
        raise invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    limit = request.get("limit", _PAGE)
    after = decode_token(request.get("nextToken"), "groups")
    wanted = {group_name(scope, identifier) for identifier in request.get("logGroupIdentifiers", ())}

    def act(connection: sqlite3.Connection) -> tuple[list[Group], dict[int, int]]:
        rows = connection.execute(
            "SELECT * FROM log_group WHERE account_id = ? AND region = ? AND name > ? AND substr(name, 1, ?) = ? "
            "AND (? = '' OR instr(name, ?)) AND (? IS NULL OR class = ?) ORDER BY name",
            (
                scope.account_id, scope.region, after, len(prefix or ""), prefix or "", pattern or "", pattern or "",
                request.get("logGroupClass"), request.get("logGroupClass"),
            ),
        )  # fmt: skip
        groups: list[Group] = []
        for row in rows:
            if len(groups) > limit:
                break
            group = Group(*row)
            if not wanted or group.name in wanted:
                groups.append(group)
        return groups, _filter_counts(connection, groups)

    groups, counts = await look(ports, act)
    shown, following = next_name(groups, limit, lambda group: group.name)
    return {
        "logGroups": [_shown(group, counts.get(group.id, 0)) for group in shown],
        "nextToken": encode_token(following, "groups"),
    }


async def put_retention_policy(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.PutRetentionPolicyRequest"
) -> None:
    days = request["retentionInDays"]
    if days not in RETENTION_DAYS:
        raise constraint("retentionInDays", days, f"Member must satisfy enum value set: {list(RETENTION_DAYS)}")
    await _update(ports, scope, request["logGroupName"], "retention_days", days)


async def delete_retention_policy(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.DeleteRetentionPolicyRequest"
) -> None:
    await _update(ports, scope, request["logGroupName"], "retention_days", None)


async def put_log_group_deletion_protection(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.PutLogGroupDeletionProtectionRequest"
) -> None:
    name = group_name(scope, request["logGroupIdentifier"])
    await _update(ports, scope, name, "is_protected", request["deletionProtectionEnabled"])


async def _update(ports: LogsPorts, scope: Scope, name: str, column: str, value: object) -> None:
    def act(writing: Writing) -> None:
        updated = writing.connection.execute(
            f"UPDATE log_group SET {column} = ? WHERE account_id = ? AND region = ? AND name = ?",
            (value, scope.account_id, scope.region, name),
        ).rowcount
        if not updated:
            raise group_not_found()

    await change(ports, act)


def _filter_counts(connection: sqlite3.Connection, groups: list[Group]) -> dict[int, int]:
    if not groups:
        return {}
    marks = ", ".join("?" * len(groups))
    return dict(
        connection.execute(
            f"SELECT group_id, count(*) FROM metric_filter WHERE group_id IN ({marks}) GROUP BY group_id",
            [group.id for group in groups],
        ).fetchall()
    )


def _shown(group: Group, metric_filters: int) -> Mapping[str, Any]:
    return {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "retentionInDays": group.retention_days,
        "metricFilterCount": metric_filters,
        "arn": f"{group.arn}:*",
        "storedBytes": group.stored_bytes,
        "kmsKeyId": group.kms_key_id,
        "logGroupClass": group.log_class,
        "logGroupArn": group.arn,
        "deletionProtectionEnabled": bool(group.is_protected),
    }
