-- The kinds of notices that a user wants no mail of; each is shown on the account page all the same.
CREATE TABLE muted_notices (
    user_id BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind    TEXT    NOT NULL,
    PRIMARY KEY (user_id, kind)
) STRICT, WITHOUT ROWID;
