-- Hashes of secrets that another program made, of clients that were brought from there. The first right secret takes its place.
CREATE TABLE imported_secrets (
    client_id TEXT NOT NULL PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    hash      TEXT NOT NULL
) STRICT;

-- Whatever gives a client another secret, or none, ends the old one.
CREATE TRIGGER clients_end_imported_secret AFTER UPDATE OF secret_hash ON clients
WHEN OLD.secret_hash IS NOT NEW.secret_hash
BEGIN
    DELETE FROM imported_secrets WHERE client_id = NEW.id;
END;
