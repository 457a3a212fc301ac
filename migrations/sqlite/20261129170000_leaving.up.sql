-- Users who have asked that their accounts be deleted, and when that is due.
CREATE TABLE departures (
    user_id BLOB    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    due_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX departures_due ON departures (due_at);
