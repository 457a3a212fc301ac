-- Invitations, links that make an account, and who waits for an admin.

-- One that has ended has no row.
CREATE TABLE invitations (
    id         BLOB    NOT NULL PRIMARY KEY,
    -- Whom it is for, if anybody in particular.
    email      TEXT,
    -- Nobody was invited: a visitor asked, and the address is to be proven.
    sign_up    INTEGER NOT NULL CHECK (sign_up IN (0, 1)),
    uses_left  INTEGER NOT NULL CHECK (uses_left > 0),
    -- The admin with whose rights it ends; nobody for one of the command line.
    maker_id   BLOB    REFERENCES users (id) ON DELETE CASCADE,
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX invitations_end ON invitations (expires_at);
CREATE INDEX invitations_maker ON invitations (maker_id);
CREATE INDEX invitations_email ON invitations (lower(email));

-- A group that is deleted is given to nobody.
CREATE TABLE invitation_groups (
    invitation_id BLOB NOT NULL REFERENCES invitations (id) ON DELETE CASCADE,
    group_name    TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    PRIMARY KEY (invitation_id, group_name)
) STRICT;

CREATE INDEX invitation_groups_group ON invitation_groups (group_name);

-- A link that was mailed proves the address, one that was handed over does not.
CREATE TABLE invitation_links (
    hash          BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    invitation_id BLOB    NOT NULL REFERENCES invitations (id) ON DELETE CASCADE,
    mailed        INTEGER NOT NULL CHECK (mailed IN (0, 1))
) STRICT;

CREATE INDEX invitation_links_invitation ON invitation_links (invitation_id);

-- Who has signed up, and is disabled until an admin enables them.
CREATE TABLE approvals (
    user_id  BLOB    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    asked_at INTEGER NOT NULL
) STRICT;
