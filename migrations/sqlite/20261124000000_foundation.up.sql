-- Times are Unix microseconds in UTC. Ids are UUIDv7, made by the program.

CREATE TABLE users (
    id                   BLOB    NOT NULL PRIMARY KEY,
    username             TEXT    NOT NULL UNIQUE,
    display_name         TEXT    NOT NULL,
    email                TEXT,
    admin                INTEGER NOT NULL CHECK (admin IN (0, 1)),
    password_hash        TEXT,
    password_changed_at  INTEGER NOT NULL,
    must_change_password INTEGER NOT NULL DEFAULT 0 CHECK (must_change_password IN (0, 1)),
    created_at           INTEGER NOT NULL,
    disabled_at          INTEGER,
    -- What a search looks through, in one piece: a scan of its index is all that a search costs.
    search               TEXT    NOT NULL GENERATED ALWAYS AS (lower(username || '|' || display_name || '|' || coalesce(email, ''))) STORED
) STRICT;

CREATE INDEX users_search ON users (search, id);
CREATE INDEX users_admin ON users (id) WHERE admin = 1;

CREATE TABLE groups (
    name TEXT NOT NULL PRIMARY KEY
) STRICT;

CREATE TABLE memberships (
    user_id    BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_name TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_name)
) STRICT;

-- The row of a live session is found by its token's SHA-256; people and logs see the id.
-- An ended session keeps its row, with how, when and by whom, until sessions.history.
CREATE TABLE sessions (
    token_hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    id               BLOB    NOT NULL UNIQUE,
    user_id          BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    methods          TEXT    NOT NULL,
    remember         INTEGER NOT NULL CHECK (remember IN (0, 1)),
    created_at       INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    last_seen_at     INTEGER NOT NULL,
    idle_expires_at  INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    address          TEXT    NOT NULL,
    user_agent       TEXT    NOT NULL,
    device           TEXT    NOT NULL,
    data             TEXT    NOT NULL DEFAULT '{}',
    ended_at         INTEGER,
    end_reason       TEXT,
    ended_by         TEXT,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- The orders and searches of the session listing, apart for live and ended ones: few of one kind are
-- found among many of the other. The first is written whenever its times move, and has them all, so
-- that live sessions are counted and expired ones found without reading the table.
CREATE INDEX sessions_live_seen ON sessions (last_seen_at, id, idle_expires_at, expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_started ON sessions (id) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_address ON sessions (address, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_device ON sessions (device, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended_seen ON sessions (last_seen_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_ended_started ON sessions (id) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_ended_address ON sessions (address, id) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_ended_device ON sessions (device, id) WHERE ended_at IS NOT NULL;

-- The devices that were ever seen, in words: a search looks here first.
CREATE TABLE devices (
    name TEXT NOT NULL PRIMARY KEY
) STRICT;

-- No foreign keys: a record outlives what it tells of. An id begins with the record's time, so its
-- order is that of time, and the table is kept in it.
CREATE TABLE audit (
    id         BLOB    NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    event      TEXT    NOT NULL,
    result     TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    user_id    BLOB,
    username   TEXT,
    actor      TEXT,
    address    TEXT,
    session_id BLOB,
    detail     TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_user ON audit (user_id, id);
CREATE INDEX audit_username ON audit (username, id);
CREATE INDEX audit_address ON audit (address, id);
-- With the result, sign-ins are counted without a look at the records.
CREATE INDEX audit_event ON audit (event, id, result);

-- A bucket has all its tries again at full_at; one that is full has no row.
CREATE TABLE throttle (
    bucket  TEXT    NOT NULL PRIMARY KEY,
    full_at INTEGER NOT NULL
) STRICT;
