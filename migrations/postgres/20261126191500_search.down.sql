DROP INDEX sessions_ended_started;
DROP INDEX sessions_ended_seen;
DROP INDEX sessions_live_started;
DROP INDEX sessions_live_seen;
CREATE INDEX sessions_live_seen ON sessions (last_seen_at, id, idle_expires_at, expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_started ON sessions (id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended_seen ON sessions (last_seen_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_ended_started ON sessions (id) WHERE ended_at IS NOT NULL;

CREATE INDEX users_search ON users (search, id);

-- The extension stays, for others may use it by now.
DROP INDEX search_users;
