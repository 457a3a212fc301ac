DROP TABLE tried_uris;
DROP TABLE learning;
