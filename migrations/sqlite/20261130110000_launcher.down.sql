DROP TABLE icons;
ALTER TABLE sites DROP COLUMN name;
ALTER TABLE clients DROP COLUMN launch_url;
