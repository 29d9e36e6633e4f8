-- Asynchronous calls that are not settled yet. They are no documents: there are many, each lives for seconds, and nobody
-- needs to be told of them by the feed, for which each document is written twice and deleted later.
CREATE TABLE function_event (
    id TEXT PRIMARY KEY,
    due_at REAL NOT NULL,
    function TEXT NOT NULL, -- ARN, with the qualifier that the caller used
    body BLOB NOT NULL, -- all but the payload
    payload BLOB NOT NULL
);
