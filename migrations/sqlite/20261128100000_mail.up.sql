-- Mail: what is to be sent, links that open once, and which addresses are known to be their users'.

-- Written in the transaction of what it tells, sent by a worker. No token is in it: links are made when it is sent.
CREATE TABLE mails (
    id          BLOB    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL,
    user_id     BLOB    REFERENCES users (id) ON DELETE CASCADE,
    -- Empty where it is looked up when the mail is sent.
    recipient   TEXT    NOT NULL,
    data        TEXT    NOT NULL,
    -- What a visitor has typed.
    sealed      BLOB,
    key_id      INTEGER,
    created_at  INTEGER NOT NULL,
    next_try_at INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT,
    expires_at  INTEGER NOT NULL,
    sent_at     INTEGER,
    gave_up_at  INTEGER
) STRICT;

CREATE INDEX mails_due ON mails (next_try_at) WHERE sent_at IS NULL AND gave_up_at IS NULL;
CREATE INDEX mails_user ON mails (user_id, kind, created_at);
CREATE INDEX mails_newest ON mails (created_at, id);

-- Links in mails. Each opens once, for its purpose and its user alone.
CREATE TABLE links (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    purpose    TEXT    NOT NULL,
    user_id    BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    data       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX links_user ON links (user_id, purpose);
CREATE INDEX links_end ON links (expires_at);

-- Whether its user has followed a link that was sent there, or an admin knows it.
ALTER TABLE users ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 0 CHECK (email_verified IN (0, 1));

-- Whoever signs in by an address is one user.
CREATE UNIQUE INDEX users_verified_email ON users (lower(email)) WHERE email_verified;

DROP TRIGGER users_changed;
CREATE TRIGGER users_changed AFTER UPDATE OF id, username, display_name, email, email_verified, admin, must_change_password, created_at, disabled_at ON users
BEGIN
    INSERT INTO invalidations (key) SELECT OLD.id UNION SELECT NEW.id;
END;
