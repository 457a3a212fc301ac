-- Hashes of secrets that another program made, of clients that were brought from there. The first right secret takes its place.
CREATE TABLE imported_secrets (
    client_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    hash      TEXT COLLATE "C" NOT NULL
);

-- Whatever gives a client another secret, or none, ends the old one.
CREATE FUNCTION end_imported_secret() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM imported_secrets WHERE client_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE TRIGGER clients_end_imported_secret AFTER UPDATE OF secret_hash ON clients FOR EACH ROW
WHEN (OLD.secret_hash IS DISTINCT FROM NEW.secret_hash)
EXECUTE FUNCTION end_imported_secret();
