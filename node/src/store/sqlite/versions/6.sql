-- Version 6: small schemas share one table for their views, since each further table costs every connection a look
-- at all of them.

-- Whether a schema has a table `view_<id>` of its own.
ALTER TABLE schemas ADD COLUMN own_table INTEGER NOT NULL DEFAULT 0;

UPDATE schemas SET own_table = 1 WHERE id IN (
    SELECT CAST(substr(name, 6) AS INTEGER) FROM sqlite_schema WHERE type = 'table' AND name GLOB 'view_[0-9]*'
);

CREATE TABLE small_views (
    schema     INTEGER NOT NULL REFERENCES schemas,
    document   BLOB NOT NULL,
    operations BLOB NOT NULL,
    f0 ANY, f1 ANY, f2 ANY, f3 ANY, f4 ANY, f5 ANY, f6 ANY, f7 ANY,
    f8 ANY, f9 ANY, f10 ANY, f11 ANY, f12 ANY, f13 ANY, f14 ANY, f15 ANY,
    f16 ANY, f17 ANY, f18 ANY, f19 ANY, f20 ANY, f21 ANY, f22 ANY, f23 ANY,
    f24 ANY, f25 ANY, f26 ANY, f27 ANY, f28 ANY, f29 ANY, f30 ANY, f31 ANY,
    f32 ANY, f33 ANY, f34 ANY, f35 ANY, f36 ANY, f37 ANY, f38 ANY, f39 ANY,
    f40 ANY, f41 ANY, f42 ANY, f43 ANY, f44 ANY, f45 ANY, f46 ANY, f47 ANY,
    f48 ANY, f49 ANY, f50 ANY, f51 ANY, f52 ANY, f53 ANY, f54 ANY, f55 ANY,
    f56 ANY, f57 ANY, f58 ANY, f59 ANY, f60 ANY, f61 ANY, f62 ANY, f63 ANY,
    PRIMARY KEY (schema, document)
) STRICT, WITHOUT ROWID;
