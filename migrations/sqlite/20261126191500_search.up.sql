-- An index of parts of words: users are found by any three characters of their names, without reading all users.
-- All that is named search_* is made from users, and the triggers keep it so. If it should ever differ:
-- INSERT INTO search_users (search_users) VALUES ('rebuild').

-- FTS5 knows rows by a number. users has none that is promised to stay: VACUUM may give others.
CREATE TABLE search_keys (
    n       INTEGER NOT NULL PRIMARY KEY,
    user_id BLOB    NOT NULL UNIQUE
) STRICT;

INSERT INTO search_keys (user_id) SELECT id FROM users ORDER BY id;

-- Two bars before each name make three characters out of one that a name begins with.
CREATE VIEW search_texts AS
SELECT k.n AS n, '||' || replace(u.search, '|', '||') AS text FROM search_keys k JOIN users u ON u.id = k.user_id;

CREATE VIRTUAL TABLE search_users USING fts5 (
    text, content = 'search_texts', content_rowid = 'n', columnsize = 0, tokenize = 'trigram case_sensitive 1'
);

-- As for the rest of the file: what is deleted is overwritten.
INSERT INTO search_users (search_users, rank) VALUES ('secure-delete', 1);
INSERT INTO search_users (search_users) VALUES ('rebuild');

CREATE TRIGGER search_users_insert AFTER INSERT ON users BEGIN
    INSERT INTO search_keys (user_id) VALUES (new.id);
    INSERT INTO search_users (rowid, text)
    SELECT n, '||' || replace(new.search, '|', '||') FROM search_keys WHERE user_id = new.id;
END;

CREATE TRIGGER search_users_update AFTER UPDATE OF id, username, display_name, email ON users
WHEN old.id <> new.id OR old.search <> new.search BEGIN
    INSERT INTO search_users (search_users, rowid, text)
    SELECT 'delete', n, '||' || replace(old.search, '|', '||') FROM search_keys WHERE user_id = old.id;
    UPDATE search_keys SET user_id = new.id WHERE user_id = old.id;
    INSERT INTO search_users (rowid, text)
    SELECT n, '||' || replace(new.search, '|', '||') FROM search_keys WHERE user_id = new.id;
END;

CREATE TRIGGER search_users_delete AFTER DELETE ON users BEGIN
    INSERT INTO search_users (search_users, rowid, text)
    SELECT 'delete', n, '||' || replace(old.search, '|', '||') FROM search_keys WHERE user_id = old.id;
    DELETE FROM search_keys WHERE user_id = old.id;
END;

-- It was there to be scanned, which no search does any more.
DROP INDEX users_search;

-- The orders of the listing have the user too: whose session it is not is told without reading the session.
DROP INDEX sessions_live_seen;
DROP INDEX sessions_live_started;
DROP INDEX sessions_ended_seen;
DROP INDEX sessions_ended_started;
CREATE INDEX sessions_live_seen ON sessions (last_seen_at, id, idle_expires_at, expires_at, user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_started ON sessions (id, user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended_seen ON sessions (last_seen_at, id, user_id) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_ended_started ON sessions (id, user_id) WHERE ended_at IS NOT NULL;
