-- What an application is told of the members of a group, or of everybody: in this order. A group that is deleted
-- leaves its rules: no foreign key.
CREATE TABLE client_claims (
    client_id  TEXT    NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    claim      TEXT    NOT NULL,
    -- JSON.
    value      TEXT    NOT NULL,
    group_name TEXT,
    PRIMARY KEY (client_id, position)
) STRICT;
