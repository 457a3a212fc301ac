DROP TRIGGER users_changed;
CREATE TRIGGER users_changed AFTER UPDATE OF id, username, display_name, email, admin, must_change_password, created_at, disabled_at ON users
BEGIN
    INSERT INTO invalidations (key) SELECT OLD.id UNION SELECT NEW.id;
END;
DROP INDEX users_verified_email;
ALTER TABLE users DROP COLUMN email_verified;
DROP TABLE links;
DROP TABLE mails;
