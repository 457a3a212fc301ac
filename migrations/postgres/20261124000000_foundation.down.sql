DROP TABLE throttle;
DROP TABLE audit;
DROP TABLE devices;
DROP TABLE sessions;
DROP TABLE memberships;
DROP TABLE groups;
DROP TABLE users;
