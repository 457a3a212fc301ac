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
