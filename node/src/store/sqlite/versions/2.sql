-- Version 2: fewer trees that every new document touches at random, and counts that are kept up.

-- One index serves "the logs of this document" and "the log in which this author writes it".
CREATE TABLE logs_2 (
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
    UNIQUE (document, author)
) STRICT;

INSERT INTO logs_2 SELECT id, author, log_id, document, schema, tip, tip_hash, ended, forked_at FROM logs;
DROP TABLE logs;
ALTER TABLE logs_2 RENAME TO logs;
CREATE INDEX logs_schema ON logs (schema);

-- How many live documents each schema has. The triggers are the only ones who write it.
ALTER TABLE schemas ADD COLUMN live INTEGER NOT NULL DEFAULT 0;

UPDATE schemas SET live = (SELECT count(*) FROM documents WHERE schema = schemas.id AND deleted = 0);
DROP INDEX documents_live;
CREATE INDEX documents_deleted ON documents (schema) WHERE deleted = 1;

CREATE TRIGGER documents_in AFTER INSERT ON documents WHEN new.deleted = 0 BEGIN
    UPDATE schemas SET live = live + 1 WHERE id = new.schema;
END;

CREATE TRIGGER documents_out AFTER DELETE ON documents WHEN old.deleted = 0 BEGIN
    UPDATE schemas SET live = live - 1 WHERE id = old.schema;
END;

CREATE TRIGGER documents_moved AFTER UPDATE OF schema, deleted ON documents
WHEN old.schema <> new.schema OR old.deleted <> new.deleted BEGIN
    UPDATE schemas SET live = live - (old.deleted = 0) WHERE id = old.schema;
    UPDATE schemas SET live = live + (new.deleted = 0) WHERE id = new.schema;
END;
