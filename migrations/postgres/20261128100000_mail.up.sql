-- Mail: what is to be sent, links that open once, and which addresses are known to be their users'.

-- Written in the transaction of what it tells, sent by a worker. No token is in it: links are made when it is sent.
CREATE TABLE mails (
    id          UUID NOT NULL PRIMARY KEY,
    kind        TEXT COLLATE "C" NOT NULL,
    user_id     UUID REFERENCES users (id) ON DELETE CASCADE,
    -- Empty where it is looked up when the mail is sent.
    recipient   TEXT COLLATE "C" NOT NULL,
    data        TEXT COLLATE "C" NOT NULL,
    -- What a visitor has typed.
    sealed      BYTEA,
    key_id      BIGINT,
    created_at  BIGINT NOT NULL,
    next_try_at BIGINT NOT NULL,
    tries       BIGINT NOT NULL DEFAULT 0,
    last_error  TEXT COLLATE "C",
    expires_at  BIGINT NOT NULL,
    sent_at     BIGINT,
    gave_up_at  BIGINT 
);

CREATE INDEX mails_due ON mails (next_try_at) WHERE sent_at IS NULL AND gave_up_at IS NULL;
CREATE INDEX mails_user ON mails (user_id, kind, created_at);
CREATE INDEX mails_newest ON mails (created_at, id);

-- Links in mails. Each opens once, for its purpose and its user alone.
CREATE TABLE links (
    hash       BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    purpose    TEXT COLLATE "C" NOT NULL,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    data       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX links_user ON links (user_id, purpose);
CREATE INDEX links_end ON links (expires_at);

-- Whether its user has followed a link that was sent there, or an admin knows it.
ALTER TABLE users ADD COLUMN email_verified BOOLEAN NOT NULL DEFAULT FALSE;

-- Whoever signs in by an address is one user.
CREATE UNIQUE INDEX users_verified_email ON users (lower(email)) WHERE email_verified;

DROP TRIGGER users_changed ON users;
CREATE TRIGGER users_changed AFTER UPDATE OF id, username, display_name, email, email_verified, admin, must_change_password, created_at, disabled_at ON users
FOR EACH ROW EXECUTE FUNCTION invalidate();
