-- A dozen sessions of people at home, live and ended, for pages to be looked at.
-- Ids begin with the time, as the program's do.

INSERT INTO users (id, username, display_name, email, admin, password_changed_at, created_at)
SELECT unhex(printf('%012x', (unixepoch() - 8000000) * 1000) || '70008000' || hex(randomblob(6))),
       column1, column2, column1 || '@example.com', 0, (unixepoch() - 8000000) * 1000000, (unixepoch() - 8000000) * 1000000
FROM (VALUES ('amara', 'Amara Okafor'), ('hanako', 'Hanako Sato'), ('jonas', 'Jonas Lindqvist'), ('mateo', 'Mateo García'),
             ('nour', 'Nour Haddad'), ('old-laptop', 'old-laptop'), ('priya', 'Priya Raman'));

-- Who; device; address; began and was last seen so many minutes ago; stays; how it ended, and by whom.
INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                      idle_expires_at, expires_at, address, user_agent, device, ended_at, end_reason, ended_by)
SELECT randomblob(32),
       unhex(printf('%012x', (unixepoch() - column4 * 60) * 1000) || '70008000' || hex(randomblob(6))),
       users.id, 'password', column6,
       (unixepoch() - column4 * 60) * 1000000, (unixepoch() - column4 * 60) * 1000000, (unixepoch() - column5 * 60) * 1000000,
       (unixepoch() - column5 * 60 + iif(column6, 2592000, 43200)) * 1000000,
       (unixepoch() - column4 * 60 + iif(column6, 7776000, 604800)) * 1000000,
       column3,
       'Mozilla/5.0 (as the browser calls itself) ' || column2,
       column2,
       iif(column7 IS NULL, NULL, (unixepoch() - column5 * 60 + 30) * 1000000), column7, column8
FROM (VALUES
    ('amara', 'Firefox on Linux', '192.168.1.24', 395, 2, 0, NULL, NULL),
    ('amara', 'Chrome on Android', '2001:db8:4c1f:8a00:3d5e:91ff:fe20:77b3', 20160, 41, 1, NULL, NULL),
    ('hanako', 'Safari on Mac OSX', '203.0.113.87', 1265, 9, 1, NULL, NULL),
    ('hanako', 'Safari on iPhone', '203.0.113.87', 46080, 186, 1, NULL, NULL),
    ('jonas', 'Edge on Windows 10', '192.168.1.31', 128, 17, 0, NULL, NULL),
    ('jonas', 'Chrome on Windows 10', '198.51.100.14', 2990, 2710, 0, 'revoked', 'keeper'),
    ('mateo', 'Chrome on ChromeOS', '192.168.1.58', 505, 64, 0, NULL, NULL),
    ('mateo', 'Firefox on Android', '2001:db8:9:42::17', 8640, 312, 1, NULL, NULL),
    ('nour', 'Chrome on Linux', '198.51.100.203', 73, 1, 0, NULL, NULL),
    ('nour', 'Safari on iPad', '198.51.100.203', 11520, 4320, 1, 'signed_out', 'nour'),
    ('old-laptop', 'Firefox on Windows 7', '192.168.1.90', 1900, 1170, 0, 'idle', NULL),
    ('old-laptop', '', '127.0.0.1', 240, 238, 0, NULL, NULL),
    ('priya', 'Chrome on Mac OSX', '203.0.113.5', 610, 24, 0, NULL, NULL),
    ('priya', 'Edge on Windows 10', '192.168.1.77', 4405, 351, 1, NULL, NULL)
) JOIN users ON users.username = column1;

INSERT OR IGNORE INTO devices SELECT DISTINCT device FROM sessions WHERE device <> '';
