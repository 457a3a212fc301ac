-- It is so already.
SELECT 1;
