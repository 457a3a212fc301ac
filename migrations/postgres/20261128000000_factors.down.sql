DROP TABLE notices;
DROP TABLE app_tokens;
DROP TABLE trusted_devices;
DROP TABLE pending_sign_ins;
DROP TABLE spent_challenges;
DROP TABLE passkeys;
DROP TABLE recovery_codes;
DROP TABLE totp;
DROP TABLE secret_keys;
DROP TRIGGER sessions_changed ON sessions;
ALTER TABLE site_secrets DROP COLUMN used_at;
ALTER TABLE sites DROP COLUMN background;
ALTER TABLE sites DROP COLUMN max_age;
ALTER TABLE sites DROP COLUMN idle;
ALTER TABLE sites DROP COLUMN tokens;
ALTER TABLE sites DROP COLUMN factors;
ALTER TABLE rules DROP COLUMN factors;
ALTER TABLE sessions DROP COLUMN trusted;
ALTER TABLE nodes DROP COLUMN key_ids;
-- What needed two factors would be open to one.
UPDATE sessions SET ended_at = created_at, end_reason = 'revoked', ended_by = 'vestibule' WHERE ended_at IS NULL AND methods <> 'password';
CREATE TRIGGER sessions_changed AFTER UPDATE ON sessions FOR EACH ROW
WHEN (OLD.ended_at IS DISTINCT FROM NEW.ended_at OR OLD.token_hash <> NEW.token_hash OR OLD.id <> NEW.id OR OLD.user_id <> NEW.user_id
      OR OLD.methods <> NEW.methods OR OLD.remember <> NEW.remember OR OLD.created_at <> NEW.created_at
      OR OLD.authenticated_at <> NEW.authenticated_at OR OLD.expires_at <> NEW.expires_at
      OR OLD.last_seen_at > NEW.last_seen_at OR OLD.idle_expires_at > NEW.idle_expires_at)
EXECUTE FUNCTION invalidate();
CREATE OR REPLACE FUNCTION invalidate() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    keys BYTEA[];
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        RETURN NULL;
    END IF;
    CASE TG_TABLE_NAME
        WHEN 'sessions' THEN
            IF (SELECT active FROM bulk_change) THEN
                RETURN NULL;
            END IF;
            keys := ARRAY[OLD.token_hash, NEW.token_hash];
        WHEN 'users' THEN keys := ARRAY[uuid_send(OLD.id), uuid_send(NEW.id)];
        WHEN 'memberships' THEN keys := ARRAY[uuid_send(OLD.user_id), uuid_send(NEW.user_id)];
        WHEN 'site_secrets' THEN keys := ARRAY[OLD.secret_hash, NEW.secret_hash];
        WHEN 'policy' THEN keys := ARRAY['policy'::BYTEA];
    END CASE;
    INSERT INTO invalidations (key) SELECT DISTINCT k FROM unnest(keys) AS k WHERE k IS NOT NULL;
    RETURN NULL;
END
$$;

UPDATE compatibility SET oldest = 20261127100000;
