-- What was changed of rows that servers keep in memory, written by the triggers below: so a change by another
-- program is seen like one of Vestibule's own. A server reads what is newer than the last id that it has seen, and
-- deletes what it has seen. The key is a secret's hash, a user's id, or 'policy'; NULL says everything.
CREATE TABLE invalidations (
    id  INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB
) STRICT;

-- 1 within a transaction that changes so many sessions that it writes one NULL above for all of them.
CREATE TABLE bulk_change (
    active INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;

INSERT INTO bulk_change (active) VALUES (0);

-- What is kept in memory is a row as it was, so the key is the old row's. A last use fires nothing: memory knows of
-- it before the database does. A use or an end that is set back does.
CREATE TRIGGER sessions_changed AFTER UPDATE ON sessions
WHEN (OLD.ended_at IS NOT NEW.ended_at OR OLD.token_hash <> NEW.token_hash OR OLD.id <> NEW.id OR OLD.user_id <> NEW.user_id
      OR OLD.methods <> NEW.methods OR OLD.remember <> NEW.remember OR OLD.created_at <> NEW.created_at
      OR OLD.authenticated_at <> NEW.authenticated_at OR OLD.expires_at <> NEW.expires_at
      OR OLD.last_seen_at > NEW.last_seen_at OR OLD.idle_expires_at > NEW.idle_expires_at)
     AND (SELECT active FROM bulk_change) = 0
BEGIN
    INSERT INTO invalidations (key) SELECT OLD.token_hash UNION SELECT NEW.token_hash;
END;

CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions
WHEN OLD.ended_at IS NULL AND (SELECT active FROM bulk_change) = 0
BEGIN
    INSERT INTO invalidations (key) VALUES (OLD.token_hash);
END;

CREATE TRIGGER users_changed AFTER UPDATE OF id, username, display_name, email, admin, must_change_password, created_at, disabled_at ON users
BEGIN
    INSERT INTO invalidations (key) SELECT OLD.id UNION SELECT NEW.id;
END;

CREATE TRIGGER users_deleted AFTER DELETE ON users
BEGIN
    INSERT INTO invalidations (key) VALUES (OLD.id);
END;

CREATE TRIGGER memberships_added AFTER INSERT ON memberships
BEGIN
    INSERT INTO invalidations (key) VALUES (NEW.user_id);
END;

CREATE TRIGGER memberships_changed AFTER UPDATE ON memberships
BEGIN
    INSERT INTO invalidations (key) SELECT OLD.user_id UNION SELECT NEW.user_id;
END;

CREATE TRIGGER memberships_removed AFTER DELETE ON memberships
BEGIN
    INSERT INTO invalidations (key) VALUES (OLD.user_id);
END;

CREATE TRIGGER site_secrets_changed AFTER UPDATE ON site_secrets
BEGIN
    INSERT INTO invalidations (key) SELECT OLD.secret_hash UNION SELECT NEW.secret_hash;
END;

CREATE TRIGGER site_secrets_deleted AFTER DELETE ON site_secrets
BEGIN
    INSERT INTO invalidations (key) VALUES (OLD.secret_hash);
END;

CREATE TRIGGER policy_changed AFTER UPDATE ON policy
BEGIN
    INSERT INTO invalidations (key) VALUES (CAST('policy' AS BLOB));
END;

-- REPLACE deletes the rows in its way, which no trigger of a delete is told of.
CREATE TRIGGER sessions_replaced BEFORE INSERT ON sessions
BEGIN
    INSERT INTO invalidations (key) SELECT token_hash FROM sessions WHERE token_hash = NEW.token_hash OR id = NEW.id;
END;

CREATE TRIGGER users_replaced BEFORE INSERT ON users
BEGIN
    INSERT INTO invalidations (key) SELECT id FROM users WHERE id = NEW.id OR username = NEW.username;
END;

CREATE TRIGGER site_secrets_replaced BEFORE INSERT ON site_secrets
BEGIN
    INSERT INTO invalidations (key) SELECT secret_hash FROM site_secrets WHERE secret_hash = NEW.secret_hash;
END;
