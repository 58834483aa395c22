-- Version 1: what a new database begins with. It is history and never changes; later versions build on it.
--
-- Hashes are their 32-byte digests. Log ids and sequence numbers are unsigned numbers of 64 bits,
-- moved down by 2^63 so that they fit and keep their order.

-- One row. Who writes locks it first, so that one process writes at a time. `generation` moves with every
-- transaction that changes something, `schemas` with those that may make a schema known. `shelf` is the mark
-- of the place where large bytes are kept outside.
CREATE TABLE state (
    application TEXT NOT NULL,
    version     BIGINT NOT NULL,
    generation  BIGINT NOT NULL,
    schemas     BIGINT NOT NULL,
    shelf       TEXT
);

INSERT INTO state VALUES ('grove-node', 0, 0, 0, NULL);

CREATE TABLE authors (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_key BYTEA NOT NULL UNIQUE
);

-- A schema may be named by logs before anybody knows what it says: `definition` is empty until then,
-- and always empty for system schemas. A known schema has a table `view_<id>` beside it, and more of them
-- when it has more fields than one table can hold. `live` counts its documents that are not deleted.
CREATE TABLE schemas (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_id  TEXT COLLATE "C" NOT NULL UNIQUE,
    definition BYTEA,
    live       BIGINT NOT NULL DEFAULT 0
);

-- Nothing in a purged log counts. From `withheld_from` on, no entry is passed on to peers, for its
-- operation is gone although nobody deleted it.
CREATE TABLE logs (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    author        BIGINT NOT NULL REFERENCES authors,
    log_id        BIGINT NOT NULL,
    document      BYTEA NOT NULL,
    schema        BIGINT NOT NULL REFERENCES schemas,
    tip           BIGINT NOT NULL,
    tip_hash      BYTEA NOT NULL,
    ended         BOOLEAN NOT NULL,
    forked_at     BIGINT,
    purged        BOOLEAN NOT NULL DEFAULT FALSE,
    withheld_from BIGINT,
    UNIQUE (author, log_id),
    UNIQUE (document, author)
);

CREATE INDEX logs_schema ON logs (schema);

-- The id is the place in the order of acceptance, without gaps. `stub` is what a collected operation still
-- says: what it was made on top of, and which fields it set. Large bytes of an operation are an object outside
-- of the database: its name and their size. `payload` is empty then.
CREATE TABLE entries (
    id      BIGINT PRIMARY KEY,
    log     BIGINT NOT NULL REFERENCES logs,
    seq_num BIGINT NOT NULL,
    hash    BYTEA NOT NULL UNIQUE,
    action  BIGINT,
    entry   BYTEA NOT NULL,
    payload BYTEA,
    object  TEXT COLLATE "C",
    outside BIGINT,
    stub    BYTEA,
    UNIQUE (log, seq_num)
);

CREATE TABLE documents (
    id      BYTEA PRIMARY KEY,
    schema  BIGINT NOT NULL REFERENCES schemas,
    owner   BIGINT NOT NULL REFERENCES authors,
    view_id BYTEA NOT NULL,
    edited  BOOLEAN NOT NULL,
    deleted BOOLEAN NOT NULL
);

CREATE INDEX documents_deleted ON documents (schema) WHERE deleted;

-- What happened to documents without an entry: forks found, payloads that came later, purges.
CREATE TABLE changes (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position BIGINT NOT NULL,
    document BYTEA NOT NULL
);

CREATE INDEX changes_position ON changes (position);

-- How many entries there were at some times, in seconds since 1970: tells how old an entry is at least.
CREATE TABLE times (
    at       BIGINT PRIMARY KEY,
    position BIGINT NOT NULL
);

-- What the operator had done that can't be undone. Texts are their bytes.
CREATE TABLE deeds (
    id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at   BIGINT NOT NULL,
    what BYTEA NOT NULL
);

-- `need` holds in one value what the entry waits for.
CREATE TABLE parked (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash    BYTEA NOT NULL UNIQUE,
    need    BYTEA NOT NULL,
    entry   BYTEA NOT NULL,
    payload BYTEA NOT NULL
);

CREATE INDEX parked_need ON parked (need);

CREATE TABLE forks (
    log     BIGINT PRIMARY KEY REFERENCES logs,
    seq_num BIGINT NOT NULL,
    first   BYTEA NOT NULL,
    second  BYTEA NOT NULL
);

-- Tables that still hold rows which a transaction removed because of what they said.
CREATE TABLE unclean (
    id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL
);

-- Objects that nothing refers to any more, until they are erased. The trigger is the only one who adds to it.
CREATE TABLE discarded (
    object TEXT COLLATE "C" PRIMARY KEY
);

CREATE FUNCTION discard() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO discarded (object) VALUES (old.object) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER entries_object_out AFTER UPDATE OF object ON entries FOR EACH ROW
WHEN (old.object IS NOT NULL AND new.object IS DISTINCT FROM old.object) EXECUTE FUNCTION discard();
