-- Version 4: a fork of a log loses nothing. A log is a set of trees, and every entry of each counts.

-- A row is a tree: one first entry with all that follows it. `tip` is that of the branch to continue; the tips
-- of its other branches, where it is `branched`, are in `branches`. `further` marks every tree of a log but the
-- first that was accepted.
CREATE TABLE logs_4 (
    id            INTEGER PRIMARY KEY,
    author        INTEGER NOT NULL REFERENCES authors,
    log_id        INTEGER NOT NULL,
    document      BLOB NOT NULL,
    schema        INTEGER NOT NULL REFERENCES schemas,
    tip           INTEGER NOT NULL,
    tip_hash      BLOB NOT NULL,
    ended         INTEGER NOT NULL,
    branched      INTEGER NOT NULL DEFAULT 0,
    further       INTEGER NOT NULL DEFAULT 0,
    purged        INTEGER NOT NULL DEFAULT 0,
    withheld_from INTEGER
) STRICT;

INSERT INTO logs_4 (id, author, log_id, document, schema, tip, tip_hash, ended, purged, withheld_from)
SELECT id, author, log_id, document, schema, tip, tip_hash, ended, purged, withheld_from FROM logs;

CREATE TABLE branches (
    log     INTEGER NOT NULL REFERENCES logs,
    seq_num INTEGER NOT NULL,
    hash    BLOB NOT NULL UNIQUE,
    ended   INTEGER NOT NULL
) STRICT;

CREATE INDEX branches_log ON branches (log, ended, seq_num DESC, hash);

-- Documents whose states leave out what did not count until now. They are materialised anew before anything is
-- answered.
CREATE TABLE unmaterialised (
    document BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

INSERT INTO unmaterialised SELECT DISTINCT document FROM logs WHERE forked_at IS NOT NULL;

-- The evidence belongs to a log, whichever of its trees the two entries stand in.
CREATE TABLE forks_4 (
    author  INTEGER NOT NULL REFERENCES authors,
    log_id  INTEGER NOT NULL,
    seq_num INTEGER NOT NULL,
    first   BLOB NOT NULL,
    second  BLOB NOT NULL,
    PRIMARY KEY (author, log_id)
) STRICT;

INSERT INTO forks_4
SELECT l.author, l.log_id, f.seq_num, f.first, f.second FROM forks f JOIN logs l ON l.id = f.log;
DROP TABLE forks;
ALTER TABLE forks_4 RENAME TO forks;

DROP TABLE logs;
ALTER TABLE logs_4 RENAME TO logs;
CREATE INDEX logs_author ON logs (author, log_id);
CREATE INDEX logs_document ON logs (document, author);
CREATE INDEX logs_schema ON logs (schema);
CREATE INDEX logs_further ON logs (id) WHERE further = 1;

-- Several entries of a tree may have one number.
CREATE TABLE entries_4 (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    log     INTEGER NOT NULL REFERENCES logs,
    seq_num INTEGER NOT NULL,
    hash    BLOB NOT NULL UNIQUE,
    action  INTEGER,
    entry   BLOB NOT NULL,
    payload BLOB,
    stub    BLOB,
    object  TEXT,
    outside INTEGER
) STRICT;

INSERT INTO entries_4 (id, log, seq_num, hash, action, entry, payload, stub, object, outside)
SELECT id, log, seq_num, hash, action, entry, payload, stub, object, outside FROM entries;
DROP TABLE entries;
ALTER TABLE entries_4 RENAME TO entries;
CREATE INDEX entries_log ON entries (log, seq_num);

CREATE TRIGGER entries_object_out AFTER UPDATE OF object ON entries
WHEN old.object IS NOT NULL AND new.object IS NOT old.object BEGIN
    INSERT OR IGNORE INTO discarded (object) VALUES (old.object);
END;
