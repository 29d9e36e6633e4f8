-- What happened to alarms; kept for a while, and after an alarm is deleted.
CREATE TABLE alarm_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    alarm TEXT NOT NULL,
    alarm_type TEXT NOT NULL,
    item_type TEXT NOT NULL,
    at REAL NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX alarm_history_by_alarm ON alarm_history (account_id, region, alarm, id);
CREATE INDEX alarm_history_by_time ON alarm_history (at);
-- Messages of state changes that are still to be delivered.
CREATE TABLE alarm_delivery (id TEXT PRIMARY KEY, due_at REAL NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX alarm_delivery_by_due ON alarm_delivery (due_at);
