DROP TABLE muted_notices;
