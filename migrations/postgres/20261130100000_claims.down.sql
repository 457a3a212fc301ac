DROP TABLE client_claims;
