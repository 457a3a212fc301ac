-- The condition as both engines take it: a flag, and no number.
DROP INDEX users_admin;
CREATE INDEX users_admin ON users (id) WHERE admin;
