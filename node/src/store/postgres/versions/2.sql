-- Version 2: a fork of a log loses nothing. A log is a set of trees, and every entry of each counts.

-- A row is a tree: one first entry with all that follows it. `tip` is that of the branch to continue; the tips
-- of its other branches, where it is `branched`, are in `branches`. `further` marks every tree of a log but the
-- first that was accepted.
ALTER TABLE logs
    ADD COLUMN branched BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN further  BOOLEAN NOT NULL DEFAULT FALSE,
    DROP CONSTRAINT logs_author_log_id_key,
    DROP CONSTRAINT logs_document_author_key;

CREATE INDEX logs_author ON logs (author, log_id);
CREATE INDEX logs_document ON logs (document, author);
CREATE INDEX logs_further ON logs (id) WHERE further;

CREATE TABLE branches (
    log     BIGINT NOT NULL REFERENCES logs,
    seq_num BIGINT NOT NULL,
    hash    BYTEA NOT NULL UNIQUE,
    ended   BOOLEAN NOT NULL
);

CREATE INDEX branches_log ON branches (log, ended, seq_num DESC, hash);

-- Documents whose states leave out what did not count until now. They are materialised anew before anything is
-- answered.
CREATE TABLE unmaterialised (
    document BYTEA PRIMARY KEY
);

INSERT INTO unmaterialised SELECT DISTINCT document FROM logs WHERE forked_at IS NOT NULL;
ALTER TABLE logs DROP COLUMN forked_at;

-- The evidence belongs to a log, whichever of its trees the two entries stand in.
ALTER TABLE forks
    ADD COLUMN author BIGINT REFERENCES authors,
    ADD COLUMN log_id BIGINT;

UPDATE forks SET author = l.author, log_id = l.log_id FROM logs l WHERE l.id = forks.log;
ALTER TABLE forks
    DROP COLUMN log,
    ADD PRIMARY KEY (author, log_id);

-- Several entries of a tree may have one number.
ALTER TABLE entries DROP CONSTRAINT entries_log_seq_num_key;
CREATE INDEX entries_log ON entries (log, seq_num);
