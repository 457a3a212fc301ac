use uuid::Uuid;

use super::{Entry, Event, Filter, Subject, first_id_at};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool};

pub(super) async fn insert(connection: &mut Connection, entry: &Entry) -> Result<(), sqlx::Error> {
    connection.query(
        "INSERT INTO audit (id, at, event, result, source, user_id, username, actor, address, session_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(entry.id)
    .bind(entry.at)
    .bind(&entry.event)
    .bind(&entry.result)
    .bind(&entry.source)
    .bind(entry.user_id)
    .bind(&entry.username)
    .bind(&entry.actor)
    .bind(&entry.address)
    .bind(entry.session_id)
    .bind(&entry.detail)
    .execute()
    .await?;
    Ok(())
}

/// One listing for each way to find its records, so that each finds them by an index; what does not
/// narrow is NULL. A search reads record after record until a page is full: cheap comparisons first.
macro_rules! listing {
    ($found:literal) => {
        concat!(
            "SELECT * FROM audit WHERE ",
            $found,
            " AND id < $1 AND id >= $2
              AND ($3 IS NULL OR username = $3)
              AND ($4 IS NULL OR address = $4)
              AND ($5 IS NULL OR event = $5)
              AND ($6 IS NULL OR username LIKE $6 ESCAPE '\\'
                   OR (actor IS DISTINCT FROM username AND actor LIKE $6 ESCAPE '\\')
                   OR (detail IS NOT NULL AND lower(detail) LIKE $6 ESCAPE '\\')
                   OR (address >= $7 AND address < $8))
              AND ($10 IS NULL OR user_id = $10)
              ORDER BY id DESC LIMIT $9"
        )
    };
}

/// # Errors
/// The database failed.
pub async fn list(pool: &Pool, filter: &Filter) -> Result<Vec<Entry>, sqlx::Error> {
    let sql = match filter {
        Filter {
            subject: Some(Subject::Id(_)),
            ..
        } => listing!("user_id = $10"),
        Filter {
            subject: Some(Subject::Name(_)),
            ..
        } => listing!("username = $3"),
        Filter {
            address: Some(_), ..
        } => listing!("address = $4"),
        Filter { event: Some(_), .. } => listing!("event = $5"),
        _ => listing!("TRUE"),
    };
    let end = filter.until.map_or(Uuid::max(), first_id_at);
    let begin = filter.since.map_or(Uuid::nil(), first_id_at);
    let pattern = filter.q.as_deref().map(|q| format!("%{}%", escaped(q)));
    let after_prefix = filter.q.as_deref().map(|q| format!("{q}{}", char::MAX));
    let (user_id, username) = match &filter.subject {
        Some(Subject::Id(id)) => (Some(*id), None),
        Some(Subject::Name(name)) => (None, Some(name)),
        None => (None, None),
    };
    pool.query(sql)
        .bind(filter.after.map_or(end, |after| after.min(end)))
        .bind(begin)
        .bind(username)
        .bind(filter.address.map(|address| address.to_string()))
        .bind(filter.event.map(Event::as_str))
        .bind(pattern)
        .bind(&filter.q)
        .bind(after_prefix)
        .bind(i64::from(filter.limit))
        .bind(user_id)
        .all()
        .await
}

/// What stands for itself in a pattern.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escape = matches!(c, '%' | '_' | '\\').then_some('\\');
            escape.into_iter().chain([c])
        })
        .collect()
}

/// How many sign-ins succeeded and how many were refused, from `since` on and before `until`.
///
/// # Errors
/// The database failed.
pub async fn count_sign_ins(
    pool: &Pool,
    since: Timestamp,
    until: Timestamp,
) -> Result<(i64, i64), sqlx::Error> {
    pool.query(
        "SELECT count(*) FILTER (WHERE result = 'ok'), count(*) FILTER (WHERE result <> 'ok')
         FROM audit WHERE event = 'sign_in' AND id >= $1 AND id < $2",
    )
    .bind(first_id_at(since))
    .bind(first_id_at(until))
    .one()
    .await
}

/// The user's newest sign-ins, failed ones too.
///
/// # Errors
/// The database failed.
pub async fn recent_sign_ins(
    pool: &Pool,
    user_id: Uuid,
    limit: u32,
) -> Result<Vec<SignIn>, sqlx::Error> {
    pool.query(
        "SELECT audit.at, audit.result, audit.address, audit.session_id, sessions.user_agent
         FROM audit LEFT JOIN sessions ON sessions.id = audit.session_id
         WHERE audit.user_id = $1 AND audit.event IN ('sign_in', 'setup')
         ORDER BY audit.id DESC LIMIT $2",
    )
    .bind(user_id)
    .bind(i64::from(limit))
    .all()
    .await
}

/// A sign-in as its user is shown it.
#[derive(Debug, sqlx::FromRow)]
pub struct SignIn {
    pub at: Timestamp,
    pub result: String,
    pub address: Option<String>,
    pub session_id: Option<Uuid>,
    pub user_agent: Option<String>,
}
