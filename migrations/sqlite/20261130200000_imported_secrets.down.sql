DROP TRIGGER clients_end_imported_secret;
DROP TABLE imported_secrets;
