-- Who was deleted. The name is remembered, so that nobody takes it by signing up, and so that users who
-- had it one after the other are told apart.
CREATE TABLE former_users (
    id         BLOB    NOT NULL PRIMARY KEY,
    username   TEXT    NOT NULL,
    deleted_at INTEGER NOT NULL
) STRICT;

CREATE INDEX former_users_username ON former_users (username, deleted_at);

INSERT INTO former_users (id, username, deleted_at)
SELECT user_id, username, max(at) FROM audit
WHERE event = 'user_delete' AND result = 'ok' AND user_id IS NOT NULL AND username IS NOT NULL
GROUP BY user_id;

-- What lists show of their sessions, for a session's own row goes with its user; until sessions.history.
CREATE TABLE former_sessions (
    id               BLOB    NOT NULL PRIMARY KEY,
    user_id          BLOB    NOT NULL REFERENCES former_users (id) DEFERRABLE INITIALLY DEFERRED,
    methods          TEXT    NOT NULL,
    remember         INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    last_seen_at     INTEGER NOT NULL,
    idle_expires_at  INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    address          TEXT    NOT NULL,
    user_agent       TEXT    NOT NULL,
    device           TEXT    NOT NULL,
    ended_at         INTEGER NOT NULL,
    end_reason       TEXT    NOT NULL,
    ended_by         TEXT
) STRICT;

CREATE INDEX former_sessions_user ON former_sessions (user_id);
CREATE INDEX former_sessions_seen ON former_sessions (last_seen_at, id);
CREATE INDEX former_sessions_ended ON former_sessions (ended_at);
