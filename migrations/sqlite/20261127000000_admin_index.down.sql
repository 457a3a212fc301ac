DROP INDEX users_admin;
CREATE INDEX users_admin ON users (id) WHERE admin = 1;
