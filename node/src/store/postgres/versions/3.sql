-- Version 3: what need not be found out again.

-- Views of definitions that make no schema, by the hash of the view's id, and why not.
CREATE TABLE broken_definitions (
    view  BYTEA PRIMARY KEY,
    cause TEXT NOT NULL
);
