-- The processes that serve one database, where several can.
CREATE TABLE nodes (
    id         BLOB NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    version    TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    left_at    INTEGER
) STRICT;

-- The code that opens the set-up; one at most.
CREATE TABLE setup (
    code_hash  BLOB NOT NULL PRIMARY KEY CHECK (length(code_hash) = 32),
    node       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- One row in a database that was copied to another, which is served in its place.
CREATE TABLE moved (
    target TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT;

-- A program whose newest migration is this one or a later one runs on this schema. A migration that takes away what an
-- older program needs raises it; one that only adds leaves it, so that nodes can be updated one after another.
CREATE TABLE compatibility (
    oldest INTEGER NOT NULL
) STRICT;

INSERT INTO compatibility (oldest) VALUES (20261127100000);
