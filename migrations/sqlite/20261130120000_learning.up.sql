-- Sessions of admins that may show, for some minutes, which addresses a client asks for; and what they tried.
CREATE TABLE learning (
    id BLOB NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    session_id BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    until INTEGER NOT NULL,
    UNIQUE (client_id, session_id)
) STRICT;

CREATE INDEX learning_session ON learning (session_id);

CREATE TABLE tried_uris (
    learning_id BLOB NOT NULL REFERENCES learning (id) ON DELETE CASCADE,
    uri TEXT NOT NULL,
    tried_at INTEGER NOT NULL,
    PRIMARY KEY (learning_id, uri)
) STRICT;
