-- The last time that was told, so that what has ended by time stays ended if the clock is set back.
CREATE TABLE clock (
    told INTEGER NOT NULL
) STRICT;

INSERT INTO clock (told) VALUES (0);
