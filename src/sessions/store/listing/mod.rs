//! The queries of the session listing.
//!
//! Rows are read in the order of an index until a page is full. A search for what is rare would
//! read them all that way, so rare users, devices and addresses are found first, and their sessions
//! sorted.

mod plan;
#[cfg(test)]
mod tests;

use sqlx::{FromRow, QueryBuilder, Sqlite, SqlitePool};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::sessions::listing::{Cursor, Query, Sort, State};
use crate::users::like_pattern;
use plan::{Plan, Rare, Search, plan};

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
    let Some(plan) = plan(pool, query).await? else {
        return Ok(Vec::new());
    };
    statement(&plan, query, now)
        .build_query_as()
        // Each number of users and devices makes another statement: none is kept.
        .persistent(!matches!(plan, Plan::Few(Rare::Text(..))))
        .fetch_all(pool)
        .await
}

fn statement(plan: &Plan, query: &Query, now: Timestamp) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new(COLUMNS);
    push_tables(&mut sql, plan, query);
    push_state(&mut sql, query.state, now);
    if let Plan::InOrder(search) | Plan::Few(Rare::State(search) | Rare::User(_, search)) = plan {
        push_search(&mut sql, search, &query.q);
    }
    push_place(&mut sql, query.after.as_ref());
    sql.push(match query.sort {
        Sort::LastSeen => " ORDER BY s.last_seen_at DESC, s.id DESC",
        Sort::Started => " ORDER BY s.id DESC",
        Sort::User => " ORDER BY u.username, s.id",
    });
    sql.push(" LIMIT ").push_bind(query.limit);
    sql
}

/// CROSS JOIN: the table that is named first is read first.
fn push_tables(sql: &mut QueryBuilder<Sqlite>, plan: &Plan, query: &Query) {
    match plan {
        Plan::Few(rare) => push_few(sql, rare, query),
        Plan::InOrder(_) if query.sort == Sort::User => {
            sql.push("FROM users u CROSS JOIN sessions s WHERE s.user_id = u.id AND ");
        }
        Plan::InOrder(_) => {
            sql.push("FROM sessions s CROSS JOIN users u WHERE u.id = s.user_id AND ");
        }
    }
}

/// The ids of the few first, each from an index of its own.
fn push_few(sql: &mut QueryBuilder<Sqlite>, rare: &Rare, query: &Query) {
    let of_state = of_state(query.state);
    sql.push("FROM (");
    match rare {
        Rare::State(_) => {
            sql.push("SELECT id FROM sessions WHERE ").push(of_state);
        }
        Rare::User(id, _) => {
            sql.push("SELECT id FROM sessions WHERE user_id = ")
                .push_bind(*id);
        }
        Rare::Address => {
            sql.push("SELECT id FROM sessions WHERE ").push(of_state);
            push_address(sql, &query.q);
        }
        Rare::Text(users, devices) => {
            sql.push("SELECT id FROM sessions WHERE user_id IN ");
            push_list(sql, users);
            sql.push(" UNION SELECT id FROM sessions WHERE ")
                .push(of_state);
            sql.push(" AND device IN ");
            push_list(sql, devices);
        }
    }
    sql.push(
        ") f CROSS JOIN sessions s CROSS JOIN users u WHERE s.id = f.id AND u.id = s.user_id AND ",
    );
}

/// An empty list finds nothing.
fn push_list<'q, T>(sql: &mut QueryBuilder<Sqlite>, values: &[T])
where
    T: Clone + Send + sqlx::Encode<'q, Sqlite> + sqlx::Type<Sqlite> + 'q,
{
    sql.push("(");
    let mut list = sql.separated(", ");
    for value in values {
        list.push_bind(value.clone());
    }
    if values.is_empty() {
        list.push("NULL");
    }
    sql.push(")");
}

fn of_state(state: State) -> &'static str {
    if state == State::Ended {
        "ended_at IS NOT NULL"
    } else {
        "ended_at IS NULL"
    }
}

fn push_state(sql: &mut QueryBuilder<Sqlite>, state: State, now: Timestamp) {
    sql.push("s.").push(of_state(state));
    if state != State::Ended {
        sql.push(" AND s.idle_expires_at > ").push_bind(now);
        sql.push(" AND s.expires_at > ").push_bind(now);
    }
}

fn push_search(sql: &mut QueryBuilder<Sqlite>, search: &Search, q: &str) {
    match search {
        Search::All => {}
        // LIKE keeps away from the index of addresses: it would give all of them, to be sorted.
        Search::Address => {
            sql.push(" AND s.address LIKE ").push_bind(format!("{q}%"));
        }
        Search::Text { any_device } => {
            sql.push(" AND (u.search LIKE ").push_bind(like_pattern(q));
            sql.push(" ESCAPE '\\'");
            if *any_device {
                sql.push(" OR s.device LIKE ").push_bind(like_pattern(q));
                sql.push(" ESCAPE '\\'");
            }
            sql.push(")");
        }
    }
}

fn push_address(sql: &mut QueryBuilder<Sqlite>, prefix: &str) {
    let (from, to) = range_of_prefix(prefix);
    sql.push(" AND address >= ").push_bind(from);
    sql.push(" AND address < ").push_bind(to);
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

/// Sessions in a state, counted up to `most`, in the order of an index that has their times.
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
        one => {
            push_state(&mut sql, one, now);
            sql.push(" ORDER BY s.last_seen_at DESC, s.id DESC");
        }
    }
    sql.push(" LIMIT ").push_bind(most).push(") f");
    sql.build_query_scalar().fetch_one(pool).await
}

/// What begins with `prefix` lies from the first to below the second.
fn range_of_prefix(prefix: &str) -> (String, String) {
    let from = prefix.to_ascii_lowercase();
    // Above every digit, letter and separator of an address.
    let to = format!("{from}~");
    (from, to)
}
