//! The queries of the session listing.
//!
//! Rows are read in the order of an index until a page is full. A search for what is rare would
//! read them all that way, so rare users and addresses are found first, and their sessions sorted.

use sqlx::{FromRow, QueryBuilder, Sqlite, SqlitePool};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::sessions::listing::{Cursor, Query, Sort, State};
use crate::users::like_pattern;

/// A session as lists show it.
#[derive(Clone, Debug, serde::Serialize, FromRow)]
pub struct Found {
    pub id: Uuid,
    pub user_id: Uuid,
    pub username: String,
    pub display_name: String,
    pub methods: String,
    pub remember: bool,
    pub address: String,
    pub device: String,
    pub user_agent: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub authenticated_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<String>,
    pub ended_by: Option<String>,
}

/// Up to here, what a search finds is sorted; beyond, rows are read in order until a page is full.
const FEW_USERS: u32 = 200;
const FEW_SESSIONS: u32 = 5_000;

/// How a search is answered.
enum Plan {
    InOrder,
    ByUser,
    ByAddress,
}

const COLUMNS: &str = "SELECT s.id, s.user_id, u.username, u.display_name, s.methods, s.remember, s.address, s.device, s.user_agent,
    s.created_at, s.last_seen_at, s.authenticated_at,
    CASE WHEN s.expires_at < s.idle_expires_at THEN s.expires_at ELSE s.idle_expires_at END AS expires_at,
    s.ended_at, s.end_reason, s.ended_by ";

/// One page of live or of ended sessions.
pub(crate) async fn page(
    pool: &SqlitePool,
    query: &Query,
    now: Timestamp,
) -> Result<Vec<Found>, sqlx::Error> {
    let plan = plan(pool, query).await?;
    let mut sql = QueryBuilder::<Sqlite>::new(COLUMNS);
    push_tables(&mut sql, &plan, query);
    push_state(&mut sql, query.state, now);
    push_search(&mut sql, &plan, query);
    push_place(&mut sql, query.after.as_ref());
    sql.push(match query.sort {
        Sort::LastSeen => " ORDER BY s.last_seen_at DESC, s.id DESC",
        Sort::Started => " ORDER BY s.id DESC",
        Sort::User => " ORDER BY u.username, s.id",
    });
    sql.push(" LIMIT ").push_bind(query.limit);
    sql.build_query_as().fetch_all(pool).await
}

/// CROSS JOIN: the table that is named first is read first.
fn push_tables(sql: &mut QueryBuilder<Sqlite>, plan: &Plan, query: &Query) {
    match (plan, query.sort) {
        (Plan::ByUser, _) | (Plan::InOrder, Sort::User) => {
            sql.push("FROM users u CROSS JOIN sessions s WHERE s.user_id = u.id AND ");
        }
        (Plan::InOrder, _) => {
            sql.push("FROM sessions s CROSS JOIN users u WHERE u.id = s.user_id AND ");
        }
        (Plan::ByAddress, _) => {
            let (from, to) = range_of_prefix(&query.q);
            sql.push("FROM (SELECT * FROM sessions WHERE address >= ")
                .push_bind(from);
            sql.push(" AND address < ").push_bind(to);
            sql.push(" LIMIT ").push_bind(FEW_SESSIONS);
            sql.push(") s CROSS JOIN users u WHERE u.id = s.user_id AND ");
        }
    }
}

fn push_state(sql: &mut QueryBuilder<Sqlite>, state: State, now: Timestamp) {
    if state == State::Ended {
        sql.push("s.ended_at IS NOT NULL");
    } else {
        sql.push("s.ended_at IS NULL AND s.idle_expires_at > ")
            .push_bind(now);
        sql.push(" AND s.expires_at > ").push_bind(now);
    }
}

fn push_search(sql: &mut QueryBuilder<Sqlite>, plan: &Plan, query: &Query) {
    if let Some(user_id) = query.user_id {
        sql.push(" AND u.id = ").push_bind(user_id);
    }
    if query.q.is_empty() {
        return;
    }
    if looks_like_address(&query.q) {
        let (from, to) = range_of_prefix(&query.q);
        sql.push(" AND s.address >= ").push_bind(from);
        sql.push(" AND s.address < ").push_bind(to);
        return;
    }
    let pattern = like_pattern(&query.q);
    sql.push(" AND (u.username LIKE ")
        .push_bind(pattern.clone());
    sql.push(" ESCAPE '\\' OR u.display_name LIKE ")
        .push_bind(pattern.clone());
    sql.push(" ESCAPE '\\' OR u.email LIKE ")
        .push_bind(pattern.clone());
    sql.push(" ESCAPE '\\'");
    if matches!(plan, Plan::InOrder) {
        sql.push(" OR s.device LIKE ").push_bind(pattern);
        sql.push(" ESCAPE '\\'");
    }
    sql.push(")");
}

fn push_place(sql: &mut QueryBuilder<Sqlite>, after: Option<&Cursor>) {
    match after {
        None => {}
        Some(Cursor::LastSeen(at, id)) => {
            sql.push(" AND (s.last_seen_at, s.id) < (").push_bind(*at);
            sql.push(", ").push_bind(*id).push(")");
        }
        Some(Cursor::Started(id)) => {
            sql.push(" AND s.id < ").push_bind(*id);
        }
        Some(Cursor::User(username, id)) => {
            sql.push(" AND u.username >= ").push_bind(username.clone());
            sql.push(" AND (u.username, s.id) > (")
                .push_bind(username.clone());
            sql.push(", ").push_bind(*id).push(")");
        }
    }
}

async fn plan(pool: &SqlitePool, query: &Query) -> Result<Plan, sqlx::Error> {
    if query.user_id.is_some() {
        return Ok(Plan::ByUser);
    }
    if query.q.is_empty() {
        return Ok(Plan::InOrder);
    }
    if looks_like_address(&query.q) {
        let few = count_at(pool, &query.q).await? < FEW_SESSIONS;
        return Ok(if few { Plan::ByAddress } else { Plan::InOrder });
    }
    let pattern = like_pattern(&query.q);
    let any_device: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM devices WHERE name LIKE $1 ESCAPE '\\')")
            .bind(&pattern)
            .fetch_one(pool)
            .await?;
    let users: u32 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM users u WHERE u.username LIKE $1 ESCAPE '\\' OR u.display_name LIKE $1 ESCAPE '\\'
             OR u.email LIKE $1 ESCAPE '\\' LIMIT $2)",
    )
    .bind(&pattern)
    .bind(FEW_USERS)
    .fetch_one(pool)
    .await?;
    Ok(if any_device || users == FEW_USERS {
        Plan::InOrder
    } else {
        Plan::ByUser
    })
}

async fn count_at(pool: &SqlitePool, prefix: &str) -> Result<u32, sqlx::Error> {
    let (from, to) = range_of_prefix(prefix);
    sqlx::query_scalar("SELECT count(*) FROM (SELECT 1 FROM sessions WHERE address >= $1 AND address < $2 LIMIT $3)")
        .bind(from)
        .bind(to)
        .bind(FEW_SESSIONS)
        .fetch_one(pool)
        .await
}

/// Sessions in a state, counted up to `most`.
pub(crate) async fn count(
    pool: &SqlitePool,
    state: State,
    now: Timestamp,
    most: u32,
) -> Result<u32, sqlx::Error> {
    let mut sql =
        QueryBuilder::<Sqlite>::new("SELECT count(*) FROM (SELECT 1 FROM sessions s WHERE ");
    match state {
        State::All => {
            sql.push("1 = 1");
        }
        one => push_state(&mut sql, one, now),
    }
    sql.push(" LIMIT ").push_bind(most).push(")");
    sql.build_query_scalar().fetch_one(pool).await
}

/// `192.168.`, `2001:db8::1`: digits and separators of an address and nothing else.
fn looks_like_address(q: &str) -> bool {
    q.contains(['.', ':'])
        && q.chars()
            .all(|c| c.is_ascii_hexdigit() || c == '.' || c == ':')
}

/// What begins with `prefix` lies from the first to below the second.
fn range_of_prefix(prefix: &str) -> (String, String) {
    let from = prefix.to_ascii_lowercase();
    // Above every digit, letter and separator of an address.
    let to = format!("{from}~");
    (from, to)
}
