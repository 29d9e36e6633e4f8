"""Finding groups and streams, by name or identifier, and running operations on the log store."""

import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from headgate.control.logs.errors import busy, group_not_found, invalid, stream_not_found
from headgate.control.logs.ports import LogsPorts
from headgate.model.arn import log_group_arn
from headgate.model.scope import Scope
from headgate.telemetry.log_retention import expiry_ms
from headgate.telemetry.log_store import Busy, Writing
from headgate.telemetry.log_writing import StreamId

T = TypeVar("T")

_GROUP_ARN: Final = re.compile(
    r"arn:aws[\w-]*:logs:(?P<region>[\w-]+):(?P<account>\d{12}):log-group:(?P<name>[.\-_/#A-Za-z0-9]{1,512})(?::\*)?"
)


class Group(NamedTuple):
    """One row of log_group."""

    id: int
    account_id: str
    region: str
    name: str
    created_ms: int
    retention_days: int | None
    log_class: str
    kms_key_id: str | None
    is_protected: int
    stored_bytes: int
    tags: str  # JSON

    @property
    def arn(self) -> str:
        """Without `:*`."""
        return log_group_arn(self.region, self.account_id, self.name)


def parse_group_arn(arn: str) -> tuple[str, str, str] | None:
    """Account, region and name; None when it is not the ARN of a group."""
    found = _GROUP_ARN.fullmatch(arn)
    return None if found is None else (found["account"], found["region"], found["name"])


async def change(ports: LogsPorts, act: Callable[[Writing], T], *, through: bool = True) -> T:
    """Run a writing transaction that finds all groups and lines that functions have made by now.

    Raises ApiError when too many wait.
    """
    await ports.buffer.flush()
    try:
        return await ports.logs.write(act, through=through)
    except Busy as error:
        raise busy() from error


async def look(ports: LogsPorts, act: Callable[[sqlite3.Connection], T]) -> T:
    """Run a reading transaction that sees all lines that functions have printed by now."""
    await ports.buffer.flush()
    return await ports.logs.read(act)


def find_group(connection: sqlite3.Connection, scope: Scope, name: str) -> Group:
    """Raises ApiError (ResourceNotFoundException)."""
    row = connection.execute(
        "SELECT * FROM log_group WHERE account_id = ? AND region = ? AND name = ?",
        (scope.account_id, scope.region, name),
    ).fetchone()
    if row is None:
        raise group_not_found()
    return Group(*row)


def requested_group(connection: sqlite3.Connection, scope: Scope, request: Mapping[str, Any]) -> Group:
    """The group of a request that has `logGroupName` or `logGroupIdentifier`, a name or an ARN. Raises ApiError."""
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise invalid("Exactly one of logGroupName and logGroupIdentifier must be given.")
    return find_group(connection, scope, group_name(scope, name or identifier or ""))


def group_name(scope: Scope, identifier: str) -> str:
    """The name that an identifier stands for: itself, or that of an ARN of this account and region."""
    if not identifier.startswith("arn:"):
        return identifier
    parsed = parse_group_arn(identifier)
    if parsed is None:
        raise invalid(f"{identifier} is not the ARN of a log group")
    account_id, region, name = parsed
    if (account_id, region) != (scope.account_id, scope.region):
        raise group_not_found()
    return name


def find_stream(connection: sqlite3.Connection, group: Group, name: str) -> StreamId:
    """Raises ApiError (ResourceNotFoundException)."""
    row = connection.execute("SELECT id FROM log_stream WHERE group_id = ? AND name = ?", (group.id, name)).fetchone()
    if row is None:
        raise stream_not_found()
    return StreamId(group.id, row[0])


def kept_from_ms(group: Group, now: float) -> int:
    """The time before which the group's events are kept no longer."""
    return expiry_ms(group.retention_days, int(now * 1000))
