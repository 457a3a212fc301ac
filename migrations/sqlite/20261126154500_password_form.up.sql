-- How the password was spelt that the hash is of: 'typed' as it came, 'nfc' normalised. No CHECK, for that could
-- not be changed without a rebuild of this table, and imported hashes bring kinds of their own.
ALTER TABLE users ADD COLUMN password_form TEXT NOT NULL DEFAULT 'typed';
