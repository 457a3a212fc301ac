CREATE TABLE clock (
    told BIGINT NOT NULL
);

INSERT INTO clock (told) VALUES (0);
