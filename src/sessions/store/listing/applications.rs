use std::collections::HashMap;

use uuid::Uuid;

use super::Found;
use crate::foundation::db::Pool;

#[derive(sqlx::FromRow)]
struct Entered {
    session_id: Uuid,
    name: String,
}

/// Says of each session which applications hang on it; of one that has ended, those that go on without it.
pub(crate) async fn add_applications(
    pool: &Pool,
    sessions: &mut [Found],
) -> Result<(), sqlx::Error> {
    let Some((first, others)) = sessions.split_first() else {
        return Ok(());
    };
    let mut sql = pool.build(
        "SELECT DISTINCT g.session_id, c.name FROM grants g JOIN clients c ON c.id = g.client_id
         WHERE g.ended_at IS NULL AND g.session_id IN (",
    );
    sql.push_bind(first.id);
    for session in others {
        sql.push(", ").push_bind(session.id);
    }
    sql.push(") ORDER BY c.name");
    let entered: Vec<Entered> = sql.build().all().await?;
    let mut by_session: HashMap<Uuid, Vec<String>> = HashMap::new();
    for Entered { session_id, name } in entered {
        by_session.entry(session_id).or_default().push(name);
    }
    for session in sessions {
        session.applications = by_session.remove(&session.id).unwrap_or_default();
    }
    Ok(())
}
