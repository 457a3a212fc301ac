DROP TABLE former_sessions;
DROP TABLE former_users;
