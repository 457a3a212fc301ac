DROP TABLE compatibility;
DROP TABLE moved;
DROP TABLE setup;
DROP TABLE nodes;
