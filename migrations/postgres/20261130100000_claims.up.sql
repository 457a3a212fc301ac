-- What an application is told of the members of a group, or of everybody: in this order. A group that is deleted
-- leaves its rules: no foreign key.
CREATE TABLE client_claims (
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    claim TEXT COLLATE "C" NOT NULL,
    -- JSON.
    value TEXT COLLATE "C" NOT NULL,
    group_name TEXT COLLATE "C",
    PRIMARY KEY (client_id, position)
);
