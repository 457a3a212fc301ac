CREATE TABLE sites (
    id       UUID NOT NULL PRIMARY KEY,
    host     TEXT COLLATE "C" NOT NULL UNIQUE,
    fallback TEXT COLLATE "C" NOT NULL,
    note     TEXT COLLATE "C" NOT NULL
);

CREATE TABLE rules (
    id       UUID   NOT NULL PRIMARY KEY,
    site_id  UUID   NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    path     TEXT   COLLATE "C" NOT NULL,
    methods  TEXT   COLLATE "C" NOT NULL,
    networks TEXT   COLLATE "C" NOT NULL,
    who      TEXT   COLLATE "C" NOT NULL,
    effect   TEXT   COLLATE "C" NOT NULL CHECK (effect IN ('allow', 'deny'))
);

CREATE INDEX rules_site ON rules (site_id, position);

CREATE TABLE policy (
    version BIGINT NOT NULL
);

INSERT INTO policy (version) VALUES (1);

CREATE TABLE site_secrets (
    secret_hash BYTEA  NOT NULL PRIMARY KEY CHECK (length(secret_hash) = 32),
    token_hash  BYTEA  NOT NULL REFERENCES sessions (token_hash) ON DELETE CASCADE,
    host        TEXT   COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL
);

CREATE INDEX site_secrets_session ON site_secrets (token_hash);

CREATE TABLE tickets (
    ticket_hash BYTEA  NOT NULL PRIMARY KEY CHECK (length(ticket_hash) = 32),
    token_hash  BYTEA  NOT NULL REFERENCES sessions (token_hash) ON DELETE CASCADE,
    flow_hash   BYTEA  NOT NULL,
    host        TEXT   COLLATE "C" NOT NULL,
    rd          TEXT   COLLATE "C" NOT NULL,
    expires_at  BIGINT NOT NULL
);

CREATE INDEX tickets_session ON tickets (token_hash);
