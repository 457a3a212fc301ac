-- As in migrations/sqlite, whose comments say what each is for. Ids are UUID, hashes BYTEA, flags BOOLEAN. Texts
-- are compared byte by byte, as SQLite does, whatever the database's locale is.

CREATE TABLE users (
    id                   UUID    NOT NULL PRIMARY KEY,
    username             TEXT    COLLATE "C" NOT NULL UNIQUE,
    display_name         TEXT    COLLATE "C" NOT NULL,
    email                TEXT    COLLATE "C",
    admin                BOOLEAN NOT NULL,
    password_hash        TEXT    COLLATE "C",
    password_changed_at  BIGINT  NOT NULL,
    must_change_password BOOLEAN NOT NULL DEFAULT FALSE,
    created_at           BIGINT  NOT NULL,
    disabled_at          BIGINT,
    search               TEXT    COLLATE "C" NOT NULL GENERATED ALWAYS AS (lower(username || '|' || display_name || '|' || coalesce(email, ''))) STORED
);

CREATE INDEX users_search ON users (search, id);
CREATE INDEX users_admin ON users (id) WHERE admin;

CREATE TABLE groups (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY
);

CREATE TABLE memberships (
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_name TEXT COLLATE "C" NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_name)
);

CREATE TABLE sessions (
    token_hash       BYTEA   NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    id               UUID    NOT NULL UNIQUE,
    user_id          UUID    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    methods          TEXT    COLLATE "C" NOT NULL,
    remember         BOOLEAN NOT NULL,
    created_at       BIGINT  NOT NULL,
    authenticated_at BIGINT  NOT NULL,
    last_seen_at     BIGINT  NOT NULL,
    idle_expires_at  BIGINT  NOT NULL,
    expires_at       BIGINT  NOT NULL,
    address          TEXT    COLLATE "C" NOT NULL,
    user_agent       TEXT    COLLATE "C" NOT NULL,
    device           TEXT    COLLATE "C" NOT NULL,
    data             TEXT    COLLATE "C" NOT NULL DEFAULT '{}',
    ended_at         BIGINT,
    end_reason       TEXT    COLLATE "C",
    ended_by         TEXT    COLLATE "C",
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE INDEX sessions_live_seen ON sessions (last_seen_at, id, idle_expires_at, expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_started ON sessions (id) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_address ON sessions (address, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_device ON sessions (device, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended_seen ON sessions (last_seen_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_ended_started ON sessions (id) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_ended_address ON sessions (address, id) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_ended_device ON sessions (device, id) WHERE ended_at IS NOT NULL;

CREATE TABLE devices (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY
);

CREATE TABLE audit (
    id         UUID   NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    event      TEXT   COLLATE "C" NOT NULL,
    result     TEXT   COLLATE "C" NOT NULL,
    source     TEXT   COLLATE "C" NOT NULL,
    user_id    UUID,
    username   TEXT   COLLATE "C",
    actor      TEXT   COLLATE "C",
    address    TEXT   COLLATE "C",
    session_id UUID,
    detail     TEXT   COLLATE "C"
);

CREATE INDEX audit_user ON audit (user_id, id);
CREATE INDEX audit_username ON audit (username, id);
CREATE INDEX audit_address ON audit (address, id);
CREATE INDEX audit_event ON audit (event, id, result);

CREATE TABLE throttle (
    bucket  TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    full_at BIGINT NOT NULL
);
