"""The process that runs one query: reads it from standard input, and writes its results to standard output.

python -m headgate.telemetry.insights.worker
"""

import base64
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from headgate.telemetry.database_file import open_for_reading
from headgate.telemetry.insights.query import parse_query
from headgate.telemetry.insights.values import Record, Time

MEMORY_BYTES: Final = 1024 * 1024 * 1024
CPU_S: Final = 120
RESULT_BYTES: Final = 8 * 1024 * 1024  # of the values in an answer; rows beyond are left out


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))  # for when nobody is left to end it
    request = orjson.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(orjson.dumps(run(request)))


def run(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to `{database, groups: [[id, "account:name", kept_from_ms]], start_ms, end_ms, query, limit}`."""
    query = parse_query(request["query"])
    scanned = {"records": 0, "bytes": 0}
    rows, matched = query.run(_records(request, scanned), request["limit"])
    results = []
    size = 0
    for record in rows:
        row = query.row(record)
        if not query.is_aggregate:
            row.append(("@ptr", record.get("@ptr")))
        size += sum(len(value) for _, value in row)
        if size > RESULT_BYTES:
            break
        results.append(row)
    return {"results": results, "matched": matched, "scanned": scanned["records"], "bytes": scanned["bytes"]}


def _records(request: dict[str, Any], scanned: dict[str, int]) -> Iterator[Record]:
    """The events of the groups, the newest first."""
    connection = open_for_reading(Path(request["database"]))
    logs = {group_id: name for group_id, name, _ in request["groups"]}
    windows = " OR ".join(["(event.group_id = ? AND timestamp_ms >= ? AND timestamp_ms < ?)"] * len(logs))
    parameters: list[int] = []
    for group_id, _, kept_from_ms in request["groups"]:
        parameters += [group_id, max(request["start_ms"], kept_from_ms), request["end_ms"]]
    rows = connection.execute(
        "SELECT event.id, event.group_id, timestamp_ms, event.ingested_ms, message, name FROM event "
        f"JOIN log_stream ON log_stream.id = stream_id WHERE {windows} ORDER BY timestamp_ms DESC, event.id DESC",
        parameters,
    )
    for event_id, group_id, timestamp_ms, ingested_ms, message, stream in rows:
        scanned["records"] += 1
        scanned["bytes"] += len(message)
        fields = {
            "@timestamp": Time(timestamp_ms),
            "@message": message,
            "@logStream": stream,
            "@log": logs[group_id],
            "@ingestionTime": Time(ingested_ms),
            "@ptr": base64.b64encode(b"%d" % event_id).decode(),
        }
        yield Record(fields, message)


if __name__ == "__main__":
    main()
