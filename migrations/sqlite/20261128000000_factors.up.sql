-- Second factors, what proves them, and the credentials of programs.

-- The keys that secrets are sealed with: what each opens, so that a wrong key is told at the start. The one that is not
-- retired seals. The keys themselves are in no database.
CREATE TABLE secret_keys (
    id         INTEGER NOT NULL PRIMARY KEY,
    proof      BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;

-- The keys that a node knows, by their ids with blanks between them.
ALTER TABLE nodes ADD COLUMN key_ids TEXT NOT NULL DEFAULT '';

-- A secret is sealed with the key of this id. A step of time counts once.
CREATE TABLE totp (
    user_id      BLOB    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret       BLOB    NOT NULL,
    key_id       INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    last_step    INTEGER NOT NULL DEFAULT 0,
    -- Wrong codes in a row.
    failures     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- 120 bits each, so that a plain SHA-256 is enough.
CREATE TABLE recovery_codes (
    user_id BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash    BLOB    NOT NULL CHECK (length(hash) = 32),
    used_at INTEGER,
    PRIMARY KEY (user_id, hash)
) STRICT;

CREATE TABLE passkeys (
    id              BLOB    NOT NULL PRIMARY KEY,
    user_id         BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id   BLOB    NOT NULL UNIQUE,
    public_key      BLOB    NOT NULL,
    algorithm       INTEGER NOT NULL,
    counter         INTEGER NOT NULL,
    aaguid          BLOB    NOT NULL,
    transports      TEXT    NOT NULL,
    -- The host that it was made for; it is of no use for another.
    rp_id           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    backup_eligible INTEGER NOT NULL CHECK (backup_eligible IN (0, 1)),
    backed_up       INTEGER NOT NULL CHECK (backed_up IN (0, 1)),
    created_at      INTEGER NOT NULL,
    last_used_at    INTEGER
) STRICT;

CREATE INDEX passkeys_user ON passkeys (user_id, id);

-- Challenges that were answered; each counts once. They end by themselves, and are kept until then.
CREATE TABLE spent_challenges (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX spent_challenges_end ON spent_challenges (expires_at);

-- Sign-ins between the password and the second step. There is no session before the last step.
CREATE TABLE pending_sign_ins (
    token_hash          BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id             BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    password_changed_at INTEGER NOT NULL,
    remember            INTEGER NOT NULL CHECK (remember IN (0, 1)),
    rd                  TEXT,
    flow                TEXT,
    expires_at          INTEGER NOT NULL
) STRICT;

CREATE INDEX pending_sign_ins_user ON pending_sign_ins (user_id, expires_at);
CREATE INDEX pending_sign_ins_end ON pending_sign_ins (expires_at);

-- Browsers that are not asked for the second step. Trust hangs on the session in which it was given.
CREATE TABLE trusted_devices (
    token_hash   BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    id           BLOB    NOT NULL UNIQUE,
    user_id      BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id   BLOB    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    device       TEXT    NOT NULL,
    address      TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX trusted_devices_user ON trusted_devices (user_id, id);
CREATE INDEX trusted_devices_session ON trusted_devices (session_id);
CREATE INDEX trusted_devices_end ON trusted_devices (expires_at);

-- Whether the second step was spared, for it was taken in this browser before.
ALTER TABLE sessions ADD COLUMN trusted INTEGER NOT NULL DEFAULT 0 CHECK (trusted IN (0, 1));

-- Credentials of programs. The sites that one opens are ids with blanks between them; NULL says all.
CREATE TABLE app_tokens (
    hash         BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    id           BLOB    NOT NULL UNIQUE,
    user_id      BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    sites        TEXT,
    networks     TEXT    NOT NULL,
    -- Made in a session with two factors.
    two_factor   INTEGER NOT NULL CHECK (two_factor IN (0, 1)),
    created_at   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    last_address TEXT,
    revoked_at   INTEGER
) STRICT;

CREATE INDEX app_tokens_user ON app_tokens (user_id, id);

-- What a user is told at the next sign-in.
CREATE TABLE notices (
    id         BLOB    NOT NULL PRIMARY KEY,
    user_id    BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind       TEXT    NOT NULL,
    detail     TEXT,
    created_at INTEGER NOT NULL,
    shown_at   INTEGER
) STRICT;

CREATE INDEX notices_user ON notices (user_id, id) WHERE shown_at IS NULL;

-- How many factors a rule or a site asks for, whether a site takes tokens, and its limits in microseconds.
ALTER TABLE rules ADD COLUMN factors INTEGER NOT NULL DEFAULT 1 CHECK (factors IN (1, 2));
ALTER TABLE sites ADD COLUMN factors INTEGER NOT NULL DEFAULT 1 CHECK (factors IN (1, 2));
ALTER TABLE sites ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0 CHECK (tokens IN (0, 1));
ALTER TABLE sites ADD COLUMN idle INTEGER;
ALTER TABLE sites ADD COLUMN max_age INTEGER;
-- Whether requests that a page makes by itself count as use.
ALTER TABLE sites ADD COLUMN background INTEGER NOT NULL DEFAULT 1 CHECK (background IN (0, 1));

-- When the session was last used at that host by a person.
ALTER TABLE site_secrets ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;

DROP TRIGGER sessions_changed;
CREATE TRIGGER sessions_changed AFTER UPDATE ON sessions
WHEN (OLD.ended_at IS NOT NEW.ended_at OR OLD.token_hash <> NEW.token_hash OR OLD.id <> NEW.id OR OLD.user_id <> NEW.user_id
      OR OLD.methods <> NEW.methods OR OLD.remember <> NEW.remember OR OLD.created_at <> NEW.created_at
      OR OLD.authenticated_at <> NEW.authenticated_at OR OLD.expires_at <> NEW.expires_at OR OLD.trusted <> NEW.trusted
      OR OLD.last_seen_at > NEW.last_seen_at OR OLD.idle_expires_at > NEW.idle_expires_at)
     AND (SELECT active FROM bulk_change) = 0
BEGIN
    INSERT INTO invalidations (key) SELECT OLD.token_hash UNION SELECT NEW.token_hash;
END;

-- Which factors a user has is read, and kept, with the user.
CREATE TRIGGER totp_added AFTER INSERT ON totp
BEGIN
    INSERT INTO invalidations (key) VALUES (NEW.user_id);
END;

CREATE TRIGGER totp_changed AFTER UPDATE OF user_id ON totp
BEGIN
    INSERT INTO invalidations (key) SELECT OLD.user_id UNION SELECT NEW.user_id;
END;

CREATE TRIGGER totp_removed AFTER DELETE ON totp
BEGIN
    INSERT INTO invalidations (key) VALUES (OLD.user_id);
END;

CREATE TRIGGER passkeys_added AFTER INSERT ON passkeys
BEGIN
    INSERT INTO invalidations (key) VALUES (NEW.user_id);
END;

CREATE TRIGGER passkeys_changed AFTER UPDATE OF user_id ON passkeys
BEGIN
    INSERT INTO invalidations (key) SELECT OLD.user_id UNION SELECT NEW.user_id;
END;

CREATE TRIGGER passkeys_removed AFTER DELETE ON passkeys
BEGIN
    INSERT INTO invalidations (key) VALUES (OLD.user_id);
END;

CREATE TRIGGER app_tokens_changed AFTER UPDATE OF hash, id, user_id, sites, networks, two_factor, expires_at, revoked_at ON app_tokens
BEGIN
    INSERT INTO invalidations (key) SELECT OLD.hash UNION SELECT NEW.hash;
END;

CREATE TRIGGER app_tokens_deleted AFTER DELETE ON app_tokens
BEGIN
    INSERT INTO invalidations (key) VALUES (OLD.hash);
END;

-- REPLACE deletes the rows in its way, which no trigger of a delete is told of.
CREATE TRIGGER app_tokens_replaced BEFORE INSERT ON app_tokens
BEGIN
    INSERT INTO invalidations (key) SELECT hash FROM app_tokens WHERE hash = NEW.hash OR id = NEW.id;
END;

CREATE TRIGGER passkeys_replaced BEFORE INSERT ON passkeys
BEGIN
    INSERT INTO invalidations (key) SELECT user_id FROM passkeys WHERE id = NEW.id OR credential_id = NEW.credential_id;
END;

-- A program that knows no second factors would let people in with a password alone.
UPDATE compatibility SET oldest = 20261128000000;
