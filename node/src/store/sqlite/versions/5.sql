-- Version 5: each page of the file ends with a sum that tells whether it is what was written. Room for it is made
-- by rewriting the whole file, before this.

-- Views of definitions that make no schema, by the hash of the view's id, and why not.
CREATE TABLE broken_definitions (
    view  BLOB PRIMARY KEY,
    cause TEXT NOT NULL
) STRICT, WITHOUT ROWID;
