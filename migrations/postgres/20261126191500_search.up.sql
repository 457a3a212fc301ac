-- Parts of words by pg_trgm, in one index for both: texts anywhere, and beginnings of names, each of which has a
-- bar before it. The owner of the database may create the extension, or finds it there.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE INDEX search_users ON users USING gin (('|' || search) gin_trgm_ops);

DROP INDEX users_search;

DROP INDEX sessions_live_seen;
DROP INDEX sessions_live_started;
DROP INDEX sessions_ended_seen;
DROP INDEX sessions_ended_started;
CREATE INDEX sessions_live_seen ON sessions (last_seen_at, id, idle_expires_at, expires_at, user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_started ON sessions (id, user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended_seen ON sessions (last_seen_at, id, user_id) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_ended_started ON sessions (id, user_id) WHERE ended_at IS NOT NULL;
