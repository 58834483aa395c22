-- Version 3: what the operator had purged or collected, and changes that have no entry of their own.

-- Nothing in a purged log counts. From `withheld_from` on, no entry is passed on to peers, for its
-- operation is gone although nobody deleted it.
ALTER TABLE logs ADD COLUMN purged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN withheld_from INTEGER;

-- What a collected operation still says: what it was made on top of, and which fields it set.
ALTER TABLE entries ADD COLUMN stub BLOB;

-- What happened to documents without an entry: forks found, payloads that came later, purges.
CREATE TABLE changes (
    id       INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    document BLOB NOT NULL
) STRICT;

CREATE INDEX changes_position ON changes (position);

-- How many entries there were at some times, in seconds since 1970: tells how old an entry is at least.
CREATE TABLE times (
    at       INTEGER PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;

-- What the operator had done that can't be undone.
CREATE TABLE deeds (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    what TEXT NOT NULL
) STRICT;

-- Large bytes of an operation are an object outside of the database: its name and their size. `payload` is
-- empty then.
ALTER TABLE entries ADD COLUMN object TEXT;
ALTER TABLE entries ADD COLUMN outside INTEGER;

-- Objects that nothing refers to any more, until they are erased. The trigger is the only one who adds to it.
CREATE TABLE discarded (
    object TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TRIGGER entries_object_out AFTER UPDATE OF object ON entries
WHEN old.object IS NOT NULL AND new.object IS NOT old.object BEGIN
    INSERT OR IGNORE INTO discarded (object) VALUES (old.object);
END;
