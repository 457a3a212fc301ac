use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool};

/// As many as a person looks through.
const MOST_TRIED: i64 = 10;

/// Until when a session has opened a client. `None`: it has not, or that is over.
pub(in crate::oidc) async fn learning(
    pool: &Pool,
    client_id: &str,
    session_id: Uuid,
    now: Timestamp,
) -> Result<Option<Timestamp>, sqlx::Error> {
    pool.query("SELECT until FROM learning WHERE client_id = $1 AND session_id = $2 AND until > $3")
        .bind(client_id)
        .bind(session_id)
        .bind(now)
        .optional_scalar()
        .await
}

pub(in crate::oidc) async fn open_learning(
    connection: &mut Connection,
    id: Uuid,
    client_id: &str,
    session_id: Uuid,
    until: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO learning (id, client_id, session_id, until) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind(client_id)
        .bind(session_id)
        .bind(until)
        .execute()
        .await?;
    Ok(())
}

/// With all that was tried.
pub(in crate::oidc) async fn close_learning(
    connection: &mut Connection,
    client_id: &str,
    session_id: Uuid,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM learning WHERE client_id = $1 AND session_id = $2")
        .bind(client_id)
        .bind(session_id)
        .execute()
        .await?;
    Ok(())
}

/// The first few; more are none of a person's.
pub(in crate::oidc) async fn put_tried(
    connection: &mut Connection,
    client_id: &str,
    session_id: Uuid,
    uri: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO tried_uris (learning_id, uri, tried_at)
             SELECT l.id, $3, $4 FROM learning l
             WHERE l.client_id = $1 AND l.session_id = $2 AND l.until > $4
               AND (SELECT count(*) FROM tried_uris t WHERE t.learning_id = l.id) < $5
             ON CONFLICT (learning_id, uri) DO NOTHING",
        )
        .bind(client_id)
        .bind(session_id)
        .bind(uri)
        .bind(now)
        .bind(MOST_TRIED)
        .execute()
        .await?;
    Ok(())
}

/// Those that are not registered meanwhile, in the order in which they were tried.
pub(in crate::oidc) async fn tried(
    pool: &Pool,
    client_id: &str,
    session_id: Uuid,
) -> Result<Vec<String>, sqlx::Error> {
    pool.query(
        "SELECT t.uri FROM learning l JOIN tried_uris t ON t.learning_id = l.id WHERE l.client_id = $1 AND l.session_id = $2
           AND NOT EXISTS (SELECT 1 FROM client_uris u WHERE u.client_id = l.client_id AND u.kind = 'sign-in' AND u.uri = t.uri)
         ORDER BY t.tried_at, t.uri",
    )
    .bind(client_id)
    .bind(session_id)
    .scalars()
    .await
}
