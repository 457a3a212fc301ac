use crate::foundation::db::{Connection, Pool};
use crate::foundation::token::TokenHash;

pub(in crate::oidc) async fn insert_imported_secret(
    connection: &mut Connection,
    client_id: &str,
    hash: &str,
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO imported_secrets (client_id, hash) VALUES ($1, $2)")
        .bind(client_id)
        .bind(hash)
        .execute()
        .await?;
    Ok(())
}

/// `None`: the client has a secret of our own making, or none.
pub(in crate::oidc) async fn imported_secret(
    pool: &Pool,
    client_id: &str,
) -> Result<Option<String>, sqlx::Error> {
    pool.query("SELECT hash FROM imported_secrets WHERE client_id = $1")
        .bind(client_id)
        .optional_scalar()
        .await
}

/// A trigger ends the imported one then. Whether it was there still: another may have taken its place meanwhile.
pub(in crate::oidc) async fn replace_imported_secret(
    connection: &mut Connection,
    client_id: &str,
    imported: &str,
    own: &TokenHash,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query(
            "UPDATE clients SET secret_hash = $3 WHERE id = $1
             AND EXISTS (SELECT 1 FROM imported_secrets i WHERE i.client_id = $1 AND i.hash = $2)",
        )
        .bind(client_id)
        .bind(imported)
        .bind(own.as_bytes())
        .execute()
        .await?;
    Ok(rows == 1)
}
