DROP TRIGGER users_changed ON users;
CREATE TRIGGER users_changed AFTER UPDATE OF id, username, display_name, email, admin, must_change_password, created_at, disabled_at ON users
FOR EACH ROW EXECUTE FUNCTION invalidate();
DROP INDEX users_verified_email;
ALTER TABLE users DROP COLUMN email_verified;
DROP TABLE links;
DROP TABLE mails;
