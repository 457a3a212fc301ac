/// Rows of each schema's tables, for both engines, by the schema that brought the tables; a new one needs its own.
pub const ROWS: &[(i64, &[&str])] = &[
    (
        20_261_124_000_000,
        &[
            "INSERT INTO users (id, username, display_name, email, admin, password_hash, password_changed_at, created_at)
             VALUES (id(1), 'owner', 'The Öwner', 'owner@example.net', TRUE, '$argon2id$x', 5, 4), (id(2), 'guest', '', NULL, FALSE, NULL, 7, 6)",
            "INSERT INTO groups (name) VALUES ('family'), ('staff')",
            "INSERT INTO memberships VALUES (id(1), 'family'), (id(1), 'staff'), (id(2), 'family')",
            "INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at, idle_expires_at,
                                   expires_at, address, user_agent, device, data)
             VALUES (hash(1), id(3), id(1), 'password', FALSE, 1, 2, 3, 4, 5, '192.0.2.1', 'A browser', 'A device', '{\"a\":1}')",
            "INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at, idle_expires_at, expires_at, address, user_agent, device, data, ended_at, end_reason, ended_by)
             SELECT hash(2), id(4), id(2), methods, TRUE, 1, 2, 3, 4, 5, '::1', user_agent, device, data, 9, 'idle', 'vestibule' FROM sessions",
            "INSERT INTO devices VALUES ('A device')",
            "INSERT INTO audit (id, at, event, result, source, user_id, detail) VALUES (id(1), 1, 'sign_in', 'ok', 'web', id(1), 'ü')",
            "INSERT INTO throttle VALUES ('account 1', 99)",
        ],
    ),
    (
        20_261_124_000_001,
        &[
            "INSERT INTO sites (id, host, fallback, note) VALUES (id(1), 'app.example.net', 'signed-in', 'A note')",
            "INSERT INTO rules (id, site_id, position, path, methods, networks, who, effect) VALUES (id(1), id(1), 1, '/*', 'GET', '10.0.0.0/8', 'group:family', 'allow')",
            "UPDATE policy SET version = 7",
            "INSERT INTO site_secrets (secret_hash, token_hash, host, created_at) VALUES (hash(3), hash(1), 'app.example.net', 8)",
            "INSERT INTO tickets VALUES (hash(4), hash(1), hash(5), 'app.example.net', '/', 9)",
        ],
    ),
    (20_261_125_000_000, &["UPDATE clock SET told = 3"]),
    (
        20_261_126_153_000,
        &[
            "INSERT INTO former_users VALUES (id(5), 'gone', 8)",
            "INSERT INTO former_sessions VALUES (id(6), id(5), 'password', FALSE, 1, 2, 3, 4, 5, '192.0.2.1', 'A browser', 'A device', 9, 'user_deleted', 'owner')",
        ],
    ),
    (
        20_261_126_154_500,
        &["UPDATE users SET password_form = 'nfc' WHERE username = 'owner'"],
    ),
    (
        20_261_126_190_000,
        &["INSERT INTO invalidations (key) VALUES (hash(1)), (NULL)"],
    ),
    // Filled from users.
    (20_261_126_191_500, &[]),
    // An index alone.
    (20_261_127_000_000, &[]),
    (
        20_261_127_100_000,
        &[
            "INSERT INTO nodes (id, name, version, started_at, seen_at, left_at) VALUES (id(1), 'one', '0.1.0', 1, 2, NULL)",
            "INSERT INTO setup VALUES (hash(1), 'one', 1, 2)",
            "UPDATE compatibility SET oldest = 5",
            "INSERT INTO moved VALUES ('postgres://db/vestibule', 1)",
        ],
    ),
    (
        20_261_128_000_000,
        &[
            "INSERT INTO secret_keys VALUES (7, hash(21), 1, NULL)",
            "INSERT INTO totp VALUES (id(1), hash(22), 7, 1, 2, 0)",
            "INSERT INTO recovery_codes VALUES (id(1), hash(23), NULL), (id(1), hash(24), 3)",
            "INSERT INTO passkeys VALUES (id(1), id(1), hash(25), hash(26), -7, 0, hash(27), 'internal', 'auth.example.net', 'A key', TRUE, TRUE, 1, NULL)",
            "INSERT INTO spent_challenges VALUES (hash(28), 5)",
            "INSERT INTO pending_sign_ins VALUES (hash(29), id(1), 5, FALSE, NULL, NULL, 6)",
            "INSERT INTO trusted_devices VALUES (hash(30), id(1), id(1), id(3), 'A device', '192.0.2.1', 1, 2, 3)",
            "INSERT INTO app_tokens VALUES (hash(31), id(1), id(1), 'A token', NULL, '', FALSE, 1, 'owner', NULL, NULL, NULL, NULL)",
            "INSERT INTO notices VALUES (id(1), id(1), 'totp_add', NULL, 1, NULL)",
        ],
    ),
    (
        20_261_128_100_000,
        &[
            "INSERT INTO mails VALUES (id(1), 'notice', id(1), 'owner@example.net', '{}', NULL, NULL, 1, 2, 0, NULL, 3, NULL, NULL)",
            "INSERT INTO links VALUES (hash(36), 'reset', id(1), '', 1, 2)",
            "UPDATE users SET email_verified = TRUE WHERE username = 'owner'",
        ],
    ),
    (
        20_261_128_200_000,
        &[
            "INSERT INTO clients (id, name, secret_hash, auth_method, pkce, id_token_alg, claims_in, consent, factors, offline_access, back_channel_uri,
                                  access_lifetime, refresh_idle, refresh_max, created_at, disabled_at)
             VALUES ('app', 'An app', hash(41), 'basic', TRUE, 'RS256', 'both', 'never', 1, TRUE, 'https://app.example.net/out', 5, 6, 7, 1, NULL)",
            "INSERT INTO client_uris VALUES ('app', 'sign-in', 'https://app.example.net/cb')",
            "INSERT INTO client_groups VALUES ('app', 'family')",
            "INSERT INTO signing_keys VALUES (id(1), 'kid', 'RS256', hash(42), 7, '{}', 1, 2, NULL)",
            "INSERT INTO grants VALUES (id(1), 'app', id(1), id(3), FALSE, 'openid', NULL, 1, 'password', FALSE, 1, 2, NULL, NULL)",
            "INSERT INTO codes VALUES (hash(43), id(1), 'https://app.example.net/cb', NULL, 2, NULL)",
            "INSERT INTO access_tokens VALUES (hash(44), id(1), 'openid', 1, 2)",
            "INSERT INTO refresh_tokens VALUES (hash(45), id(1), 1, 2, NULL)",
            "INSERT INTO consents VALUES (id(1), 'app', 'openid', 1)",
            "INSERT INTO sign_out_notices VALUES (id(4), 'app', id(2), 1, 2, 0, NULL)",
        ],
    ),
    (
        20_261_129_100_000,
        &["INSERT INTO muted_notices VALUES (id(1), 'token_revoked')"],
    ),
    (
        20_261_129_130_000,
        &[
            "INSERT INTO invitations VALUES (id(1), 'new@example.net', FALSE, 2, id(1), 'owner', 1, 2)",
            "INSERT INTO invitation_groups VALUES (id(1), 'family')",
            "INSERT INTO invitation_links VALUES (hash(51), id(1), TRUE)",
            "INSERT INTO approvals VALUES (id(2), 3)",
        ],
    ),
    (
        20_261_129_170_000,
        &["INSERT INTO departures VALUES (id(1), 9)"],
    ),
    (
        20_261_130_100_000,
        &["INSERT INTO client_claims VALUES ('app', 1, 'roles', '[\"admin\"]', 'family'), ('app', 2, 'quota', '5', NULL)"],
    ),
    (
        20_261_130_110_000,
        &[
            "UPDATE clients SET launch_url = 'https://app.example.net'",
            "UPDATE sites SET name = 'An app'",
            "INSERT INTO icons VALUES (id(1), 'app', NULL, 'image/png', hash(58)), (id(2), NULL, id(1), 'image/webp', hash(59))",
        ],
    ),
    (
        20_261_130_120_000,
        &[
            "INSERT INTO learning VALUES (id(1), 'app', id(3), 9)",
            "INSERT INTO tried_uris VALUES (id(1), 'https://app.example.net/other', 8)",
        ],
    ),
    (
        20_261_130_200_000,
        &["INSERT INTO imported_secrets VALUES ('app', '$2b$10$abc')"],
    ),
];
