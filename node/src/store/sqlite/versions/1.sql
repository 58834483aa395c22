-- Version 1: what a new database begins with. It is history and never changes; later versions build on it.
--
-- Hashes are their 32-byte digests. Log ids and sequence numbers are unsigned numbers of 64 bits,
-- moved down by 2^63 so that they fit and keep their order.

CREATE TABLE authors (
    id         INTEGER PRIMARY KEY,
    public_key BLOB NOT NULL UNIQUE
) STRICT;

-- A schema may be named by logs before anybody knows what it says: `definition` is empty until then,
-- and always empty for system schemas. A known schema has a table `view_<id>` beside it.
CREATE TABLE schemas (
    id         INTEGER PRIMARY KEY,
    schema_id  TEXT NOT NULL UNIQUE,
    definition BLOB
) STRICT;

CREATE TABLE logs (
    id        INTEGER PRIMARY KEY,
    author    INTEGER NOT NULL REFERENCES authors,
    log_id    INTEGER NOT NULL,
    document  BLOB NOT NULL,
    schema    INTEGER NOT NULL REFERENCES schemas,
    tip       INTEGER NOT NULL,
    tip_hash  BLOB NOT NULL,
    ended     INTEGER NOT NULL,
    forked_at INTEGER,
    UNIQUE (author, log_id),
    UNIQUE (author, document)
) STRICT;

CREATE INDEX logs_document ON logs (document);
CREATE INDEX logs_schema ON logs (schema);

-- The id is the place in the order of acceptance.
CREATE TABLE entries (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    log     INTEGER NOT NULL REFERENCES logs,
    seq_num INTEGER NOT NULL,
    hash    BLOB NOT NULL UNIQUE,
    action  INTEGER,
    entry   BLOB NOT NULL,
    payload BLOB,
    UNIQUE (log, seq_num)
) STRICT;

CREATE TABLE documents (
    id      BLOB PRIMARY KEY,
    schema  INTEGER NOT NULL REFERENCES schemas,
    owner   INTEGER NOT NULL REFERENCES authors,
    view_id BLOB NOT NULL,
    edited  INTEGER NOT NULL,
    deleted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX documents_live ON documents (schema) WHERE deleted = 0;

-- `need` holds in one value what the entry waits for.
CREATE TABLE parked (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    hash    BLOB NOT NULL UNIQUE,
    need    BLOB NOT NULL,
    entry   BLOB NOT NULL,
    payload BLOB NOT NULL
) STRICT;

CREATE INDEX parked_need ON parked (need);

CREATE TABLE forks (
    log     INTEGER PRIMARY KEY REFERENCES logs,
    seq_num INTEGER NOT NULL,
    first   BLOB NOT NULL,
    second  BLOB NOT NULL
) STRICT;
