-- What one may open, as the start page shows it.
ALTER TABLE clients ADD COLUMN launch_url TEXT COLLATE "C";
ALTER TABLE sites ADD COLUMN name TEXT COLLATE "C" NOT NULL DEFAULT '';

-- Of a client or of a site.
CREATE TABLE icons (
    id UUID NOT NULL PRIMARY KEY,
    client_id TEXT COLLATE "C" UNIQUE REFERENCES clients (id) ON DELETE CASCADE,
    site_id UUID UNIQUE REFERENCES sites (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('image/png', 'image/webp', 'image/jpeg')),
    image BYTEA NOT NULL,
    CHECK ((client_id IS NULL) <> (site_id IS NULL))
);
