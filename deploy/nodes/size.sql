-- What a session costs in PostgreSQL. On a database for it alone:
--   vestibule --database postgres://… db migrate && psql --file deploy/nodes/size.sql …
-- It makes 20,000 users with 200,000 sessions, and prints bytes a session, by index, and of the log for a last use.

INSERT INTO users (id, username, display_name, email, admin, password_hash, password_changed_at, created_at)
SELECT gen_random_uuid(), 'user' || n, 'User Number ' || n, 'user' || n || '@example.com', FALSE, repeat('x', 97), 1, 1
FROM generate_series(1, 20000) n;

INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                      idle_expires_at, expires_at, address, user_agent, device, data)
SELECT sha256(CAST(CAST(s AS TEXT) AS BYTEA)), gen_random_uuid(), u.id, 'password', FALSE, s, s, s, s, s,
       '192.0.' || s % 200 || '.' || s % 250,
       'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
       'Chrome on Windows 10', '{}'
FROM generate_series(1, 200000) s
JOIN (SELECT id, row_number() OVER () AS number FROM users) u ON u.number = 1 + s % 20000;

VACUUM FULL ANALYZE sessions;

SELECT round(pg_table_size('sessions') / 200000.0) AS table_bytes, round(pg_indexes_size('sessions') / 200000.0) AS index_bytes;

SELECT indexrelname, round(pg_relation_size(indexrelid) / 200000.0) AS bytes
FROM pg_stat_user_indexes WHERE relname = 'sessions' ORDER BY bytes DESC;

SELECT pg_current_wal_insert_lsn() AS before \gset
UPDATE sessions SET last_seen_at = last_seen_at + 1, idle_expires_at = idle_expires_at + 1
WHERE token_hash IN (SELECT sha256(CAST(CAST(n AS TEXT) AS BYTEA)) FROM generate_series(1, 20000) n);
SELECT round((pg_current_wal_insert_lsn() - CAST(:'before' AS PG_LSN)) / 20000.0) AS log_bytes_a_last_use;
