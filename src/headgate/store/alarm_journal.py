"""The history of alarms and the messages that are on their way, in the store's transactions.

They are rows and no documents: there are many, none is served, and the feed of changes need not tell of them.
"""

import sqlite3
from collections.abc import Collection
from typing import Final

import msgspec

from headgate.model.alarm import AlarmDelivery, HistoryItem
from headgate.model.value import Value

MAX_ITEMS: Final = 500_000  # of history, of all alarms
_ITEMS: Final = msgspec.json.Decoder(HistoryItem)
_DELIVERIES: Final = msgspec.json.Decoder(AlarmDelivery)


class HistoryQuery(Value, frozen=True):
    """Which items are asked for, newest first unless `oldest_first`. Times are seconds since the epoch."""

    account_id: str
    region: str
    alarm_types: Collection[str]
    limit: int
    alarm: str | None = None
    item_type: str | None = None
    start: float | None = None
    end: float | None = None
    oldest_first: bool = False
    after: int | None = None  # the id of the last item of the page before


class AlarmJournal:
    """One transaction's view of it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def record(self, account_id: str, region: str, item: HistoryItem) -> None:
        self._connection.execute(
            "INSERT INTO alarm_history VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
            (
                account_id,
                region,
                item.alarm_name,
                item.alarm_type,
                item.history_item_type,
                item.timestamp,
                msgspec.json.encode(item),
            ),
        )

    def history(self, query: HistoryQuery) -> list[tuple[int, HistoryItem]]:
        """Each item with its id, by which the next page goes on."""
        conditions = ["account_id = ?", "region = ?"]
        values: list[object] = [query.account_id, query.region]
        conditions.append(f"alarm_type IN ({', '.join('?' * len(query.alarm_types))})")
        values += query.alarm_types
        optional = (
            ("alarm = ?", query.alarm),
            ("item_type = ?", query.item_type),
            ("at >= ?", query.start),
            ("at <= ?", query.end),
            ("id > ?" if query.oldest_first else "id < ?", query.after),
        )
        for condition, value in optional:
            if value is not None:
                conditions.append(condition)
                values.append(value)
        rows = self._connection.execute(
            f"SELECT id, body FROM alarm_history WHERE {' AND '.join(conditions)} "
            f"ORDER BY id {'ASC' if query.oldest_first else 'DESC'} LIMIT ?",
            (*values, query.limit),
        )
        return [(number, _ITEMS.decode(body)) for number, body in rows]

    def forget(self, before: float, most: int = MAX_ITEMS) -> None:
        """Delete the history of before this time, and beyond `most` items of all alarms the oldest."""
        self._connection.execute("DELETE FROM alarm_history WHERE at < ?", (before,))
        self._connection.execute(
            "DELETE FROM alarm_history WHERE id <= (SELECT max(id) FROM alarm_history) - ?", (most,)
        )

    def send(self, delivery: AlarmDelivery) -> None:
        """Have a message delivered, or delivered later than was said before."""
        self._connection.execute(
            "INSERT OR REPLACE INTO alarm_delivery VALUES (?, ?, ?)",
            (delivery.id, delivery.due_at, msgspec.json.encode(delivery)),
        )

    def unsent(self, limit: int) -> list[AlarmDelivery]:
        """The messages that are due first, first."""
        rows = self._connection.execute("SELECT body FROM alarm_delivery ORDER BY due_at, id LIMIT ?", (limit,))
        return [_DELIVERIES.decode(body) for (body,) in rows]

    def sent(self, delivery_id: str) -> None:
        """The message is delivered, or given up; no error when it is not there."""
        self._connection.execute("DELETE FROM alarm_delivery WHERE id = ?", (delivery_id,))

    def clear(self) -> None:
        self._connection.execute("DELETE FROM alarm_history")
        self._connection.execute("DELETE FROM alarm_delivery")
