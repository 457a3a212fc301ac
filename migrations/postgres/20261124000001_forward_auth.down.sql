DROP TABLE tickets;
DROP TABLE site_secrets;
DROP TABLE policy;
DROP TABLE rules;
DROP TABLE sites;
