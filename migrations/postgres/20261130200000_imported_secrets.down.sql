DROP TRIGGER clients_end_imported_secret ON clients;
DROP FUNCTION end_imported_secret();
DROP TABLE imported_secrets;
