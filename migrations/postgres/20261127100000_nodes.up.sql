-- The processes that serve one database, where several can.
CREATE TABLE nodes (
    id         UUID NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    version    TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    left_at    BIGINT
);

-- The code that opens the set-up; one at most.
CREATE TABLE setup (
    code_hash  BYTEA NOT NULL PRIMARY KEY CHECK (length(code_hash) = 32),
    node       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- One row in a database that was copied to another, which is served in its place.
CREATE TABLE moved (
    target TEXT COLLATE "C" NOT NULL,
    at     BIGINT NOT NULL
);

-- A program whose newest migration is this one or a later one runs on this schema. A migration that takes away what an
-- older program needs raises it; one that only adds leaves it, so that nodes can be updated one after another.
CREATE TABLE compatibility (
    oldest BIGINT NOT NULL
);

INSERT INTO compatibility (oldest) VALUES (20261127100000);
