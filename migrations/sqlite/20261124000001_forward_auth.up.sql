-- Sites that are protected, and the rules for their paths.

CREATE TABLE sites (
    id       BLOB NOT NULL PRIMARY KEY,
    host     TEXT NOT NULL UNIQUE,
    fallback TEXT NOT NULL,
    note     TEXT NOT NULL
) STRICT;

CREATE TABLE rules (
    id       BLOB    NOT NULL PRIMARY KEY,
    site_id  BLOB    NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path     TEXT    NOT NULL,
    methods  TEXT    NOT NULL,
    networks TEXT    NOT NULL,
    who      TEXT    NOT NULL,
    effect   TEXT    NOT NULL CHECK (effect IN ('allow', 'deny'))
) STRICT;

CREATE INDEX rules_site ON rules (site_id, position);

-- Each change of sites or rules counts on: a process whose copy is older reads them again.
CREATE TABLE policy (
    version INTEGER NOT NULL
) STRICT;

INSERT INTO policy (version) VALUES (1);

-- A secret of one protected host. It hangs on the session's token: a new token ends it.
CREATE TABLE site_secrets (
    secret_hash BLOB    NOT NULL PRIMARY KEY CHECK (length(secret_hash) = 32),
    token_hash  BLOB    NOT NULL REFERENCES sessions (token_hash) ON DELETE CASCADE,
    host        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX site_secrets_session ON site_secrets (token_hash);

-- One-time tickets, which carry a sign-in to a protected host.
CREATE TABLE tickets (
    ticket_hash BLOB    NOT NULL PRIMARY KEY CHECK (length(ticket_hash) = 32),
    token_hash  BLOB    NOT NULL REFERENCES sessions (token_hash) ON DELETE CASCADE,
    flow_hash   BLOB    NOT NULL,
    host        TEXT    NOT NULL,
    rd          TEXT    NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX tickets_session ON tickets (token_hash);
