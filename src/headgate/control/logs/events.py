"""Putting and reading log events."""

import re
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.control.logs.errors import bad_token, invalid
from headgate.control.logs.lookup import Group, change, find_group, find_stream, kept_from_ms, look, requested_group
from headgate.control.logs.paging import decode_token, encode_token
from headgate.control.logs.ports import LogsPorts
from headgate.model.scope import Scope
from headgate.telemetry.filter_pattern import FilterPattern, PatternError, compile_pattern
from headgate.telemetry.log_filters import event_id
from headgate.telemetry.log_reading import BEGINNING, END, Key, Scan, StoredEvent, Window, scan_group, stream_page
from headgate.telemetry.log_store import Writing
from headgate.telemetry.log_writing import byte_length

if TYPE_CHECKING:
    from headgate.wire.shapes import logs as shapes

MAX_BATCH_BYTES: Final = 1_048_576  # each event counts 26 bytes more than its message
MAX_EVENTS: Final = 10_000  # of one answer
_DAY_MS: Final = 86_400_000
_OLDEST_MS: Final = 14 * _DAY_MS
_NEWEST_MS: Final = 2 * 3_600_000
_LATEST: Final = 1 << 62
_PAGE_TOKEN: Final = re.compile(r"([fb])/(\d{20})(\d{36})/s")


async def put_log_events(
    ports: LogsPorts, scope: Scope, now: float, request: "shapes.PutLogEventsRequest"
) -> Mapping[str, Any]:
    now_ms = int(now * 1000)
    events = [(event["timestamp"], event["message"]) for event in request["logEvents"]]
    _check_batch(events)

    def act(writing: Writing) -> tuple[int, Mapping[str, int]]:
        group = find_group(writing.connection, scope, request["logGroupName"])
        stream = find_stream(writing.connection, group, request["logStreamName"])
        taken, rejected = _sorted_out(events, now_ms, kept_from_ms(group, now))
        last = writing.write_events(stream, request["logStreamName"], taken, now_ms) if taken else 0
        return last, rejected

    last, rejected = await change(ports, act, through=False)
    return {"nextSequenceToken": f"{last:056d}", "rejectedLogEventsInfo": rejected or None}


async def get_log_events(
    ports: LogsPorts, scope: Scope, now: float, request: "shapes.GetLogEventsRequest"
) -> Mapping[str, Any]:
    """A page of one stream. A token goes on from its page in its own direction, and stays the same at the end."""
    limit = request.get("limit", MAX_EVENTS)
    direction, position = _page_position(request.get("nextToken"))
    newest = direction == "b" or (not direction and not request.get("startFromHead", False))

    def act(connection: sqlite3.Connection) -> list[StoredEvent]:
        group = requested_group(connection, scope, request)
        stream = find_stream(connection, group, request["logStreamName"])
        window = Window(
            start_ms=max(request.get("startTime", 0), kept_from_ms(group, now)),
            end_ms=request.get("endTime", _LATEST),  # events at this time are not included
            after=position if direction == "f" else BEGINNING,
            before=position if direction == "b" else END,
        )
        return stream_page(connection, stream.id, window, limit, newest=newest)

    events = await look(ports, act)
    if events:
        forward, backward = events[-1].key, events[0].key
    elif direction == "f":
        forward, backward = position, (position[0], position[1] + 1)
    elif direction == "b":
        forward, backward = (position[0], max(position[1] - 1, 0)), position
    else:
        forward = backward = (0, 0)
    return {
        "events": [
            {"timestamp": event.timestamp_ms, "message": event.message, "ingestionTime": event.ingested_ms}
            for event in events
        ],
        "nextForwardToken": f"f/{event_id(*forward)}/s",
        "nextBackwardToken": f"b/{event_id(*backward)}/s",
    }


async def filter_log_events(
    ports: LogsPorts, scope: Scope, now: float, request: "shapes.FilterLogEventsRequest"
) -> Mapping[str, Any]:
    """Events of all streams of a group, or of some, interleaved by time. A page may be empty and not the last."""
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
    if names is not None and prefix is not None:
        raise invalid("Only one of logStreamNames or logStreamNamePrefix can be provided.")
    pattern = compiled(request.get("filterPattern", ""))
    newest = not request.get("startFromHead", True)
    position = _scan_position(request.get("nextToken"), newest)

    def act(connection: sqlite3.Connection) -> Scan:
        group = requested_group(connection, scope, request)
        window = Window(
            start_ms=max(request.get("startTime", 0), kept_from_ms(group, now)),
            end_ms=min(request.get("endTime", _LATEST), _LATEST) + 1,  # events at this time are included
            after=BEGINNING if newest or position is None else position,
            before=position if newest and position is not None else END,
        )
        return scan_group(
            connection,
            group.id,
            _streams(connection, group, names, prefix),
            window,
            request.get("limit", MAX_EVENTS),
            pattern.matches,
            newest=newest,
        )

    scan = await look(ports, act)
    resume = None if scan.resume is None else event_id(*scan.resume)
    return {
        "events": [
            {
                "logStreamName": event.stream,
                "timestamp": event.timestamp_ms,
                "message": event.message,
                "ingestionTime": event.ingested_ms,
                "eventId": event_id(event.timestamp_ms, event.id),
            }
            for event in scan.events
        ],
        "searchedLogStreams": [],  # the service answers with an empty list (service model)
        "nextToken": encode_token(resume, "tail" if newest else "head"),
    }


def compiled(pattern: str) -> FilterPattern:
    """Raises ApiError."""
    try:
        return compile_pattern(pattern)
    except PatternError as error:
        raise invalid(str(error)) from error


def _check_batch(events: list[tuple[int, str]]) -> None:
    size = sum(byte_length(message) for _, message in events)
    if size > MAX_BATCH_BYTES:
        raise invalid(f"Upload too large: {size} bytes exceeds limit of {MAX_BATCH_BYTES}")
    timestamps = [timestamp for timestamp, _ in events]
    if timestamps != sorted(timestamps):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
    if timestamps[-1] - timestamps[0] > _DAY_MS:
        raise invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")


def _sorted_out(
    events: list[tuple[int, str]], now_ms: int, kept_from: int
) -> tuple[list[tuple[int, str]], Mapping[str, int]]:
    """The events that are taken, and what is said of the others."""
    oldest = now_ms - _OLDEST_MS
    too_old = sum(timestamp < oldest for timestamp, _ in events)
    expired = sum(timestamp < kept_from for timestamp, _ in events)
    too_new = sum(timestamp > now_ms + _NEWEST_MS for timestamp, _ in events)
    taken = events[max(too_old, expired) : len(events) - too_new]
    rejected: dict[str, int] = {}
    if too_new:
        rejected["tooNewLogEventStartIndex"] = len(events) - too_new
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired > too_old:
        rejected["expiredLogEventEndIndex"] = expired
    return taken, rejected


def _page_position(token: str | None) -> tuple[str, Key]:
    """The direction of a token of GetLogEvents, "" without one, and where it goes on."""
    if token is None:
        return "", BEGINNING
    found = _PAGE_TOKEN.fullmatch(token)
    if found is None:
        raise bad_token()
    return found[1], _key(found[2] + found[3])


def _scan_position(token: str | None, newest: bool) -> Key | None:
    text = decode_token(token, "tail" if newest else "head")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{56}", text):
        raise bad_token()
    return _key(text)


def _key(digits: str) -> Key:
    timestamp_ms, number = int(digits[:20]), int(digits[20:])
    if max(timestamp_ms, number) > _LATEST:
        raise bad_token()
    return timestamp_ms, number


def _streams(
    connection: sqlite3.Connection, group: Group, names: list[str] | None, prefix: str | None
) -> list[tuple[int, str]] | None:
    """The streams that a request names, ids and names; None where it names none."""
    if names is not None:
        return [(find_stream(connection, group, name).id, name) for name in names]
    if prefix is None:
        return None
    return connection.execute(
        "SELECT id, name FROM log_stream WHERE group_id = ? AND substr(name, 1, ?) = ?", (group.id, len(prefix), prefix)
    ).fetchall()
