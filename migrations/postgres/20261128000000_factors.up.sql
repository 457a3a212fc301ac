-- Second factors, what proves them, and the credentials of programs.

-- The keys that secrets are sealed with: what each opens, so that a wrong key is told at the start. The one that is not
-- retired seals. The keys themselves are in no database.
CREATE TABLE secret_keys (
    id         BIGINT NOT NULL PRIMARY KEY,
    proof      BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);

-- The keys that a node knows, by their ids with blanks between them.
ALTER TABLE nodes ADD COLUMN key_ids TEXT COLLATE "C" NOT NULL DEFAULT '';

-- A secret is sealed with the key of this id. A step of time counts once.
CREATE TABLE totp (
    user_id      UUID NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret       BYTEA NOT NULL,
    key_id       BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    last_step    BIGINT NOT NULL DEFAULT 0,
    -- Wrong codes in a row.
    failures     BIGINT NOT NULL DEFAULT 0
);

-- 120 bits each, so that a plain SHA-256 is enough.
CREATE TABLE recovery_codes (
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash    BYTEA NOT NULL CHECK (length(hash) = 32),
    used_at BIGINT,
    PRIMARY KEY (user_id, hash)
);

CREATE TABLE passkeys (
    id              UUID NOT NULL PRIMARY KEY,
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id   BYTEA NOT NULL UNIQUE,
    public_key      BYTEA NOT NULL,
    algorithm       BIGINT NOT NULL,
    counter         BIGINT NOT NULL,
    aaguid          BYTEA NOT NULL,
    transports      TEXT COLLATE "C" NOT NULL,
    -- The host that it was made for; it is of no use for another.
    rp_id           TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    backup_eligible BOOLEAN NOT NULL,
    backed_up       BOOLEAN NOT NULL,
    created_at      BIGINT NOT NULL,
    last_used_at    BIGINT
);

CREATE INDEX passkeys_user ON passkeys (user_id, id);

-- Challenges that were answered; each counts once. They end by themselves, and are kept until then.
CREATE TABLE spent_challenges (
    hash       BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    expires_at BIGINT NOT NULL
);

CREATE INDEX spent_challenges_end ON spent_challenges (expires_at);

-- Sign-ins between the password and the second step. There is no session before the last step.
CREATE TABLE pending_sign_ins (
    token_hash          BYTEA NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id             UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    password_changed_at BIGINT NOT NULL,
    remember            BOOLEAN NOT NULL,
    rd                  TEXT COLLATE "C",
    flow                TEXT COLLATE "C",
    expires_at          BIGINT NOT NULL
);

CREATE INDEX pending_sign_ins_user ON pending_sign_ins (user_id, expires_at);
CREATE INDEX pending_sign_ins_end ON pending_sign_ins (expires_at);

-- Browsers that are not asked for the second step. Trust hangs on the session in which it was given.
CREATE TABLE trusted_devices (
    token_hash   BYTEA NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    id           UUID NOT NULL UNIQUE,
    user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id   UUID NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    device       TEXT COLLATE "C" NOT NULL,
    address      TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);

CREATE INDEX trusted_devices_user ON trusted_devices (user_id, id);
CREATE INDEX trusted_devices_session ON trusted_devices (session_id);
CREATE INDEX trusted_devices_end ON trusted_devices (expires_at);

-- Whether the second step was spared, for it was taken in this browser before.
ALTER TABLE sessions ADD COLUMN trusted BOOLEAN NOT NULL DEFAULT FALSE;

-- Credentials of programs. The sites that one opens are ids with blanks between them; NULL says all.
CREATE TABLE app_tokens (
    hash         BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    id           UUID NOT NULL UNIQUE,
    user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT COLLATE "C" NOT NULL,
    sites        TEXT COLLATE "C",
    networks     TEXT COLLATE "C" NOT NULL,
    -- Made in a session with two factors.
    two_factor   BOOLEAN NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT COLLATE "C" NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    last_address TEXT COLLATE "C",
    revoked_at   BIGINT
);

CREATE INDEX app_tokens_user ON app_tokens (user_id, id);

-- What a user is told at the next sign-in.
CREATE TABLE notices (
    id         UUID NOT NULL PRIMARY KEY,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind       TEXT COLLATE "C" NOT NULL,
    detail     TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    shown_at   BIGINT
);

CREATE INDEX notices_user ON notices (user_id, id) WHERE shown_at IS NULL;

-- How many factors a rule or a site asks for, whether a site takes tokens, and its limits in microseconds.
ALTER TABLE rules ADD COLUMN factors BIGINT NOT NULL DEFAULT 1 CHECK (factors IN (1, 2));
ALTER TABLE sites ADD COLUMN factors BIGINT NOT NULL DEFAULT 1 CHECK (factors IN (1, 2));
ALTER TABLE sites ADD COLUMN tokens BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sites ADD COLUMN idle BIGINT;
ALTER TABLE sites ADD COLUMN max_age BIGINT;
-- Whether requests that a page makes by itself count as use.
ALTER TABLE sites ADD COLUMN background BOOLEAN NOT NULL DEFAULT TRUE;

-- When the session was last used at that host by a person.
ALTER TABLE site_secrets ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;

-- Which factors a user has is read, and kept, with the user; tokens by their hash.
CREATE OR REPLACE FUNCTION invalidate() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    keys BYTEA[];
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO invalidations (key) VALUES (NULL);
        RETURN NULL;
    END IF;
    CASE TG_TABLE_NAME
        WHEN 'sessions' THEN
            IF (SELECT active FROM bulk_change) THEN
                RETURN NULL;
            END IF;
            keys := ARRAY[OLD.token_hash, NEW.token_hash];
        WHEN 'users' THEN keys := ARRAY[uuid_send(OLD.id), uuid_send(NEW.id)];
        WHEN 'memberships' THEN keys := ARRAY[uuid_send(OLD.user_id), uuid_send(NEW.user_id)];
        WHEN 'site_secrets' THEN keys := ARRAY[OLD.secret_hash, NEW.secret_hash];
        WHEN 'totp', 'passkeys' THEN keys := ARRAY[uuid_send(OLD.user_id), uuid_send(NEW.user_id)];
        WHEN 'app_tokens' THEN keys := ARRAY[OLD.hash, NEW.hash];
        WHEN 'policy' THEN keys := ARRAY['policy'::BYTEA];
    END CASE;
    INSERT INTO invalidations (key) SELECT DISTINCT k FROM unnest(keys) AS k WHERE k IS NOT NULL;
    RETURN NULL;
END
$$;

DROP TRIGGER sessions_changed ON sessions;
CREATE TRIGGER sessions_changed AFTER UPDATE ON sessions FOR EACH ROW
WHEN (OLD.ended_at IS DISTINCT FROM NEW.ended_at OR OLD.token_hash <> NEW.token_hash OR OLD.id <> NEW.id OR OLD.user_id <> NEW.user_id
      OR OLD.methods <> NEW.methods OR OLD.remember <> NEW.remember OR OLD.created_at <> NEW.created_at
      OR OLD.authenticated_at <> NEW.authenticated_at OR OLD.expires_at <> NEW.expires_at OR OLD.trusted <> NEW.trusted
      OR OLD.last_seen_at > NEW.last_seen_at OR OLD.idle_expires_at > NEW.idle_expires_at)
EXECUTE FUNCTION invalidate();

CREATE TRIGGER totp_added AFTER INSERT ON totp FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER totp_changed AFTER UPDATE OF user_id ON totp FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER totp_removed AFTER DELETE ON totp FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER passkeys_added AFTER INSERT ON passkeys FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER passkeys_changed AFTER UPDATE OF user_id ON passkeys FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER passkeys_removed AFTER DELETE ON passkeys FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER app_tokens_changed AFTER UPDATE OF hash, id, user_id, sites, networks, two_factor, expires_at, revoked_at ON app_tokens
FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER app_tokens_deleted AFTER DELETE ON app_tokens FOR EACH ROW EXECUTE FUNCTION invalidate();

-- TRUNCATE tells no trigger of its rows.
CREATE TRIGGER totp_truncated AFTER TRUNCATE ON totp EXECUTE FUNCTION invalidate();
CREATE TRIGGER passkeys_truncated AFTER TRUNCATE ON passkeys EXECUTE FUNCTION invalidate();
CREATE TRIGGER app_tokens_truncated AFTER TRUNCATE ON app_tokens EXECUTE FUNCTION invalidate();

-- A program that knows no second factors would let people in with a password alone.
UPDATE compatibility SET oldest = 20261128000000;
