CREATE TABLE document (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX document_by_key ON document (kind, key);

-- The feed: which documents each revision touched.
CREATE TABLE change (
    revision INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL
);
CREATE INDEX change_by_revision ON change (revision);

CREATE TABLE blob (
    sha256 TEXT PRIMARY KEY,
    body BLOB NOT NULL
);

CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);
INSERT INTO counter VALUES ('revision', 0);
