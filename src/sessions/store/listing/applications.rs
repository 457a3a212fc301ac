use std::collections::HashMap;

use uuid::Uuid;

use super::Found;
use crate::foundation::db::Pool;

#[derive(sqlx::FromRow)]
struct Named {
    session_id: Uuid,
    name: String,
}

const ENTERED: &str =
    "SELECT DISTINCT g.session_id, c.name FROM grants g JOIN clients c ON c.id = g.client_id
     WHERE g.ended_at IS NULL AND g.session_id IN (";

const NOT_REACHED: &str =
    "SELECT n.session_id, c.name FROM sign_out_notices n JOIN clients c ON c.id = n.client_id
     WHERE n.told_at IS NULL AND n.tries > 0 AND n.session_id IN (";

/// Says of each session which applications hang on it; of one that has ended, those that go on without it, and those that were
/// told of its end in vain so far.
pub(crate) async fn add_applications(
    pool: &Pool,
    sessions: &mut [Found],
) -> Result<(), sqlx::Error> {
    let mut entered = by_session(pool, ENTERED, sessions).await?;
    let mut not_reached = by_session(pool, NOT_REACHED, sessions).await?;
    for session in sessions {
        session.applications = entered.remove(&session.id).unwrap_or_default();
        session.not_reached = not_reached.remove(&session.id).unwrap_or_default();
    }
    Ok(())
}

async fn by_session(
    pool: &Pool,
    query: &'static str,
    sessions: &[Found],
) -> Result<HashMap<Uuid, Vec<String>>, sqlx::Error> {
    let Some((first, others)) = sessions.split_first() else {
        return Ok(HashMap::new());
    };
    let mut sql = pool.build(query);
    sql.push_bind(first.id);
    for session in others {
        sql.push(", ").push_bind(session.id);
    }
    sql.push(") ORDER BY c.name");
    let mut names: HashMap<Uuid, Vec<String>> = HashMap::new();
    for Named { session_id, name } in sql.build().all().await? {
        names.entry(session_id).or_default().push(name);
    }
    Ok(names)
}
