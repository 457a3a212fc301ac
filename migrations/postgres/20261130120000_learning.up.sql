-- Sessions of admins that may show, for some minutes, which addresses a client asks for; and what they tried.
CREATE TABLE learning (
    id UUID NOT NULL PRIMARY KEY,
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    session_id UUID NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    until BIGINT NOT NULL,
    UNIQUE (client_id, session_id)
);

CREATE INDEX learning_session ON learning (session_id);

CREATE TABLE tried_uris (
    learning_id UUID NOT NULL REFERENCES learning (id) ON DELETE CASCADE,
    uri TEXT COLLATE "C" NOT NULL,
    tried_at BIGINT NOT NULL,
    PRIMARY KEY (learning_id, uri)
);
