-- OpenID Connect: applications that ask who somebody is, and what they were given.

-- 256 bits have the secrets that Vestibule makes, so that a plain SHA-256 is enough. Lifetimes in microseconds.
CREATE TABLE clients (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    secret_hash BYTEA CHECK (length(secret_hash) = 32),
    -- How it proves who it is: any of the first two where it is not said.
    auth_method TEXT COLLATE "C" CHECK (auth_method IN ('basic', 'post', 'none')),
    pkce BOOLEAN NOT NULL,
    id_token_alg TEXT COLLATE "C" NOT NULL CHECK (id_token_alg IN ('RS256', 'ES256')),
    claims_in TEXT COLLATE "C" NOT NULL CHECK (claims_in IN ('userinfo', 'both')),
    consent TEXT COLLATE "C" NOT NULL CHECK (consent IN ('always', 'once', 'never')),
    factors BIGINT NOT NULL CHECK (factors IN (1, 2)),
    offline_access BOOLEAN NOT NULL,
    back_channel_uri TEXT COLLATE "C",
    access_lifetime BIGINT NOT NULL,
    refresh_idle BIGINT NOT NULL,
    refresh_max BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE TABLE client_uris (
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('sign-in', 'sign-out')),
    uri TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (client_id, kind, uri)
);

-- Who may use it; everyone where there are none. A group that is deleted does not open it: no foreign key.
CREATE TABLE client_groups (
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    group_name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (client_id, group_name)
);

-- The public half stays for a while when the private one is gone, for what was signed with it.
CREATE TABLE signing_keys (
    id UUID NOT NULL PRIMARY KEY,
    kid TEXT COLLATE "C" NOT NULL UNIQUE,
    alg TEXT COLLATE "C" NOT NULL CHECK (alg IN ('RS256', 'ES256')),
    private BYTEA NOT NULL,
    key_id BIGINT NOT NULL,
    public TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    active_from BIGINT NOT NULL,
    retired_at BIGINT
);

-- What a user let an application do. It ends with its session, unless it is offline: then with the user's rights.
CREATE TABLE grants (
    id UUID NOT NULL PRIMARY KEY,
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id UUID REFERENCES sessions (id) ON DELETE SET NULL,
    offline BOOLEAN NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    nonce TEXT COLLATE "C",
    auth_time BIGINT NOT NULL,
    methods TEXT COLLATE "C" NOT NULL,
    trusted BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason TEXT COLLATE "C",
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

CREATE INDEX grants_user ON grants (user_id, client_id);
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_ended ON grants (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE codes (
    hash BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    grant_id UUID NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    redirect_uri TEXT COLLATE "C" NOT NULL,
    challenge TEXT COLLATE "C",
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE INDEX codes_grant ON codes (grant_id);
CREATE INDEX codes_end ON codes (expires_at);

CREATE TABLE access_tokens (
    hash BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    grant_id UUID NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    scope TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX access_tokens_grant ON access_tokens (grant_id);
CREATE INDEX access_tokens_end ON access_tokens (expires_at);

-- Each is used once; within a moment more often, with the same successor.
CREATE TABLE refresh_tokens (
    hash BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    grant_id UUID NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_end ON refresh_tokens (expires_at);

CREATE TABLE consents (
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scope TEXT COLLATE "C" NOT NULL,
    given_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

CREATE INDEX consents_client ON consents (client_id);

-- Applications that are to be told of the end of a session. It outlives session and user.
CREATE TABLE sign_out_notices (
    session_id UUID NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    user_id UUID NOT NULL,
    ended_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 0,
    told_at BIGINT,
    PRIMARY KEY (session_id, client_id)
);

CREATE INDEX sign_out_notices_due ON sign_out_notices (due_at) WHERE told_at IS NULL;
CREATE INDEX sign_out_notices_client ON sign_out_notices (client_id);

-- Whatever ends a session ends what hangs on it, in the same statement, and leaves word for the applications.
CREATE FUNCTION end_grants() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO sign_out_notices (session_id, client_id, user_id, ended_at, due_at)
    SELECT DISTINCT NEW.id, g.client_id, NEW.user_id, NEW.ended_at, 0::BIGINT FROM grants g JOIN clients c ON c.id = g.client_id
    WHERE g.session_id = NEW.id AND g.ended_at IS NULL AND c.back_channel_uri IS NOT NULL
    ON CONFLICT (session_id, client_id) DO NOTHING;
    UPDATE grants SET ended_at = NEW.ended_at, end_reason = NEW.end_reason
    WHERE session_id = NEW.id AND ended_at IS NULL AND (NOT offline OR NEW.end_reason = 'revoked');
    RETURN NULL;
END
$$;

CREATE TRIGGER sessions_end_grants AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
EXECUTE FUNCTION end_grants();
