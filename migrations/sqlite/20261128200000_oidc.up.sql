-- OpenID Connect: applications that ask who somebody is, and what they were given.

-- 256 bits have the secrets that Vestibule makes, so that a plain SHA-256 is enough. Lifetimes in microseconds.
CREATE TABLE clients (
    id               TEXT    NOT NULL PRIMARY KEY,
    name             TEXT    NOT NULL UNIQUE,
    secret_hash      BLOB    CHECK (length(secret_hash) = 32),
    -- How it proves who it is: any of the first two where it is not said.
    auth_method      TEXT    CHECK (auth_method IN ('basic', 'post', 'none')),
    pkce             INTEGER NOT NULL CHECK (pkce IN (0, 1)),
    id_token_alg     TEXT    NOT NULL CHECK (id_token_alg IN ('RS256', 'ES256')),
    claims_in        TEXT    NOT NULL CHECK (claims_in IN ('userinfo', 'both')),
    consent          TEXT    NOT NULL CHECK (consent IN ('always', 'once', 'never')),
    factors          INTEGER NOT NULL CHECK (factors IN (1, 2)),
    offline_access   INTEGER NOT NULL CHECK (offline_access IN (0, 1)),
    back_channel_uri TEXT,
    access_lifetime  INTEGER NOT NULL,
    refresh_idle     INTEGER NOT NULL,
    refresh_max      INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    disabled_at      INTEGER
) STRICT;

CREATE TABLE client_uris (
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    kind      TEXT NOT NULL CHECK (kind IN ('sign-in', 'sign-out')),
    uri       TEXT NOT NULL,
    PRIMARY KEY (client_id, kind, uri)
) STRICT;

-- Who may use it; everyone where there are none. A group that is deleted does not open it: no foreign key.
CREATE TABLE client_groups (
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    group_name TEXT NOT NULL,
    PRIMARY KEY (client_id, group_name)
) STRICT;

-- The public half stays for a while when the private one is gone, for what was signed with it.
CREATE TABLE signing_keys (
    id          BLOB    NOT NULL PRIMARY KEY,
    kid         TEXT    NOT NULL UNIQUE,
    alg         TEXT    NOT NULL CHECK (alg IN ('RS256', 'ES256')),
    private     BLOB    NOT NULL,
    key_id      INTEGER NOT NULL,
    public      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    active_from INTEGER NOT NULL,
    retired_at  INTEGER
) STRICT;

-- What a user let an application do. It ends with its session, unless it is offline: then with the user's rights.
CREATE TABLE grants (
    id           BLOB    NOT NULL PRIMARY KEY,
    client_id    TEXT    NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    user_id      BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id   BLOB    REFERENCES sessions (id) ON DELETE SET NULL,
    offline      INTEGER NOT NULL CHECK (offline IN (0, 1)),
    scope        TEXT    NOT NULL,
    nonce        TEXT,
    auth_time    INTEGER NOT NULL,
    methods      TEXT    NOT NULL,
    trusted      INTEGER NOT NULL CHECK (trusted IN (0, 1)),
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    ended_at     INTEGER,
    end_reason   TEXT,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE INDEX grants_user ON grants (user_id, client_id);
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_ended ON grants (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE codes (
    hash         BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    grant_id     BLOB    NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    redirect_uri TEXT    NOT NULL,
    challenge    TEXT,
    expires_at   INTEGER NOT NULL,
    used_at      INTEGER
) STRICT;

CREATE INDEX codes_grant ON codes (grant_id);
CREATE INDEX codes_end ON codes (expires_at);

CREATE TABLE access_tokens (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    grant_id   BLOB    NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    scope      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX access_tokens_grant ON access_tokens (grant_id);
CREATE INDEX access_tokens_end ON access_tokens (expires_at);

-- Each is used once; within a moment more often, with the same successor.
CREATE TABLE refresh_tokens (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    grant_id   BLOB    NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;

CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_end ON refresh_tokens (expires_at);

CREATE TABLE consents (
    user_id   BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT    NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scope     TEXT    NOT NULL,
    given_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, client_id)
) STRICT;

CREATE INDEX consents_client ON consents (client_id);

-- Applications that are to be told of the end of a session. It outlives session and user.
CREATE TABLE sign_out_notices (
    session_id BLOB    NOT NULL,
    client_id  TEXT    NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    user_id    BLOB    NOT NULL,
    ended_at   INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    told_at    INTEGER,
    PRIMARY KEY (session_id, client_id)
) STRICT;

CREATE INDEX sign_out_notices_due ON sign_out_notices (due_at) WHERE told_at IS NULL;
CREATE INDEX sign_out_notices_client ON sign_out_notices (client_id);

-- Whatever ends a session ends what hangs on it, in the same statement, and leaves word for the applications.
CREATE TRIGGER sessions_end_grants AFTER UPDATE OF ended_at ON sessions
WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
BEGIN
    INSERT INTO sign_out_notices (session_id, client_id, user_id, ended_at, due_at)
    SELECT DISTINCT NEW.id, g.client_id, NEW.user_id, NEW.ended_at, 0 FROM grants g JOIN clients c ON c.id = g.client_id
    WHERE g.session_id = NEW.id AND g.ended_at IS NULL AND c.back_channel_uri IS NOT NULL
    ON CONFLICT (session_id, client_id) DO NOTHING;
    UPDATE grants SET ended_at = NEW.ended_at, end_reason = NEW.end_reason
    WHERE session_id = NEW.id AND ended_at IS NULL AND (offline = 0 OR NEW.end_reason = 'revoked');
END;
