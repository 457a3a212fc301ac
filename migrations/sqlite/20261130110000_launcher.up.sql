-- What one may open, as the start page shows it.
ALTER TABLE clients ADD COLUMN launch_url TEXT;
ALTER TABLE sites ADD COLUMN name TEXT NOT NULL DEFAULT '';

-- Of a client or of a site.
CREATE TABLE icons (
    id BLOB NOT NULL PRIMARY KEY,
    client_id TEXT UNIQUE REFERENCES clients (id) ON DELETE CASCADE,
    site_id BLOB UNIQUE REFERENCES sites (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('image/png', 'image/webp', 'image/jpeg')),
    image BLOB NOT NULL,
    CHECK ((client_id IS NULL) <> (site_id IS NULL))
) STRICT;
