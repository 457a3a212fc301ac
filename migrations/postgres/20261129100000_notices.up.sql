-- The kinds of notices that a user wants no mail of; each is shown on the account page all the same.
CREATE TABLE muted_notices (
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, kind)
);
