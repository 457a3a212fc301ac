CREATE TABLE former_users (
    id         UUID   NOT NULL PRIMARY KEY,
    username   TEXT   COLLATE "C" NOT NULL,
    deleted_at BIGINT NOT NULL
);

CREATE INDEX former_users_username ON former_users (username, deleted_at);

INSERT INTO former_users (id, username, deleted_at)
SELECT DISTINCT ON (user_id) user_id, username, at FROM audit
WHERE event = 'user_delete' AND result = 'ok' AND user_id IS NOT NULL AND username IS NOT NULL
ORDER BY user_id, at DESC;

CREATE TABLE former_sessions (
    id               UUID    NOT NULL PRIMARY KEY,
    user_id          UUID    NOT NULL REFERENCES former_users (id) DEFERRABLE INITIALLY DEFERRED,
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
    ended_at         BIGINT  NOT NULL,
    end_reason       TEXT    COLLATE "C" NOT NULL,
    ended_by         TEXT    COLLATE "C"
);

CREATE INDEX former_sessions_user ON former_sessions (user_id);
CREATE INDEX former_sessions_seen ON former_sessions (last_seen_at, id);
CREATE INDEX former_sessions_ended ON former_sessions (ended_at);
