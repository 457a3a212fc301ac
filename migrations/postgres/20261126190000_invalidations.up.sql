-- A transaction has its number before it commits, so servers do not read on after the last id, as on SQLite, but
-- from the oldest transaction that was under way at the last reading: none is missed, and some come twice.
CREATE TABLE invalidations (
    id   BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key  BYTEA,
    txid XID8   NOT NULL DEFAULT pg_current_xact_id()
);

CREATE INDEX invalidations_txid ON invalidations (txid);

CREATE TABLE bulk_change (
    active BOOLEAN NOT NULL
);

INSERT INTO bulk_change (active) VALUES (FALSE);

-- The key of the old row, and that of the new one if it is another. Whoever changes a row may have another search
-- path than the one that these tables are found by.
CREATE FUNCTION invalidate() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    keys BYTEA[];
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO invalidations (key) VALUES (NULL);
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

CREATE TRIGGER sessions_changed AFTER UPDATE ON sessions FOR EACH ROW
WHEN (OLD.ended_at IS DISTINCT FROM NEW.ended_at OR OLD.token_hash <> NEW.token_hash OR OLD.id <> NEW.id OR OLD.user_id <> NEW.user_id
      OR OLD.methods <> NEW.methods OR OLD.remember <> NEW.remember OR OLD.created_at <> NEW.created_at
      OR OLD.authenticated_at <> NEW.authenticated_at OR OLD.expires_at <> NEW.expires_at
      OR OLD.last_seen_at > NEW.last_seen_at OR OLD.idle_expires_at > NEW.idle_expires_at)
EXECUTE FUNCTION invalidate();

CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions FOR EACH ROW WHEN (OLD.ended_at IS NULL) EXECUTE FUNCTION invalidate();

CREATE TRIGGER users_changed AFTER UPDATE OF id, username, display_name, email, admin, must_change_password, created_at, disabled_at ON users
FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER users_deleted AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER memberships_added AFTER INSERT ON memberships FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER memberships_changed AFTER UPDATE ON memberships FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER memberships_removed AFTER DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER site_secrets_changed AFTER UPDATE ON site_secrets FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER site_secrets_deleted AFTER DELETE ON site_secrets FOR EACH ROW EXECUTE FUNCTION invalidate();

CREATE TRIGGER policy_changed AFTER UPDATE ON policy FOR EACH ROW EXECUTE FUNCTION invalidate();

-- TRUNCATE tells no trigger of its rows.
CREATE TRIGGER sessions_truncated AFTER TRUNCATE ON sessions EXECUTE FUNCTION invalidate();
CREATE TRIGGER users_truncated AFTER TRUNCATE ON users EXECUTE FUNCTION invalidate();
CREATE TRIGGER memberships_truncated AFTER TRUNCATE ON memberships EXECUTE FUNCTION invalidate();
CREATE TRIGGER site_secrets_truncated AFTER TRUNCATE ON site_secrets EXECUTE FUNCTION invalidate();
