//! The queries of the session listing.
//!
//! Rows are read in the order of an index until a page is full. A search for what is rare would
//! read them all that way, so rare users, devices and addresses are found first, and their sessions
//! sorted. What is neither rare nor common is found first as well, and then read in order: the index
//! says which rows are not among it.

mod applications;
mod plan;

use sqlx::FromRow;
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Builder, Pool};
use crate::people::users::{like_pattern, push_candidates, push_match};
use crate::sessions::listing::{Cursor, Query, Sort, State};
pub(crate) use applications::add_applications;
use plan::{Few, Plan, Search, Sources, Way, looks_like_address, plan};

/// A session as lists show it.
#[derive(Clone, Debug, serde::Serialize, FromRow)]
pub struct Found {
    pub id: Uuid,
    pub user_id: Uuid,
    /// The user is gone; the name may be another's now.
    #[sqlx(default)]
    pub user_deleted: bool,
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
    /// Names of the applications that were entered with it and still may ask.
    #[sqlx(skip)]
    pub applications: Vec<String>,
    /// Names of those that were told in vain, so far, that it has ended.
    #[sqlx(skip)]
    pub not_reached: Vec<String>,
}

const COLUMNS: &str = "SELECT s.id, s.user_id, u.username, u.display_name, s.methods, s.remember, s.address, s.device, s.user_agent,
    s.created_at, s.last_seen_at, s.authenticated_at,
    CASE WHEN s.expires_at < s.idle_expires_at THEN s.expires_at ELSE s.idle_expires_at END AS expires_at,
    s.ended_at, s.end_reason, s.ended_by ";

/// One page of live or of ended sessions.
pub(crate) async fn page(
    pool: &Pool,
    query: &Query,
    now: Timestamp,
) -> Result<Vec<Found>, sqlx::Error> {
    let Some(plan) = plan(pool, query).await? else {
        return Ok(Vec::new());
    };
    statement(pool, &plan, query, now).build().all().await
}

/// One page of the sessions of users who were deleted: few, and all ended.
pub(crate) async fn page_of_former(pool: &Pool, query: &Query) -> Result<Vec<Found>, sqlx::Error> {
    let mut sql = pool.build(COLUMNS);
    sql.push(
        ", TRUE AS user_deleted FROM former_sessions s
         JOIN (SELECT id, username, username AS search, '' AS display_name FROM former_users) u ON u.id = s.user_id
         WHERE 1 = 1",
    );
    if let Some(user_id) = query.user_id {
        sql.push(" AND s.user_id = ").push_bind(user_id);
    }
    push_search(&mut sql, &Search::of(&query.q, true), &query.q);
    push_page(&mut sql, query);
    sql.build().all().await
}

fn statement<'c>(pool: &'c Pool, plan: &Plan, query: &Query, now: Timestamp) -> Builder<'c> {
    let mut sql = pool.build(COLUMNS);
    push_tables(&mut sql, plan, query);
    push_state(&mut sql, query.state, now);
    if let Way::Among(found) = plan.way {
        push_narrowing(&mut sql, found, query);
    }
    push_search(&mut sql, &plan.search, &query.q);
    push_page(&mut sql, query);
    sql
}

fn push_page(sql: &mut Builder<'_>, query: &Query) {
    push_place(sql, query.after.as_ref());
    sql.push(match query.sort {
        Sort::LastSeen => " ORDER BY s.last_seen_at DESC, s.id DESC",
        Sort::Started => " ORDER BY s.id DESC",
        Sort::User => " ORDER BY u.username, s.id",
    });
    sql.push(" LIMIT ").push_bind(i64::from(query.limit));
}

/// CROSS JOIN: the table that is named first is read first.
fn push_tables(sql: &mut Builder<'_>, plan: &Plan, query: &Query) {
    match &plan.way {
        Way::Few(few) => push_few(sql, few, query),
        Way::InOrder | Way::Among(_) if query.sort == Sort::User => {
            sql.push("FROM users u CROSS JOIN sessions s WHERE s.user_id = u.id AND ");
        }
        Way::InOrder | Way::Among(_) => {
            sql.push("FROM sessions s CROSS JOIN users u WHERE u.id = s.user_id AND ");
        }
    }
}

/// The ids of the few first, each from an index of its own.
fn push_few(sql: &mut Builder<'_>, few: &Few, query: &Query) {
    sql.push("FROM (");
    let joined = match few {
        Few::State => {
            sql.push("SELECT id FROM sessions WHERE ")
                .push(of_state(query.state));
            "s.id = f.id"
        }
        Few::User(id) => {
            sql.push("SELECT id FROM sessions WHERE user_id = ")
                .push_bind(*id);
            "s.id = f.id"
        }
        Few::Search(found) if !found.sessions => {
            push_candidates(sql, &query.q);
            "s.user_id = f.user_id"
        }
        Few::Search(found) => {
            if found.users {
                sql.push("SELECT id FROM sessions WHERE user_id IN (");
                push_candidates(sql, &query.q);
                sql.push(") UNION ");
            }
            push_sessions(sql, query);
            "s.id = f.id"
        }
    };
    sql.push(") f CROSS JOIN sessions s CROSS JOIN users u WHERE ")
        .push(joined)
        .push(" AND u.id = s.user_id AND ");
}

/// IS TRUE keeps away from the indexes of users and ids: all that is found would be sorted. So the index of
/// the order is read, which has both, and no row of a session that is not among them.
fn push_narrowing(sql: &mut Builder<'_>, found: Sources, query: &Query) {
    sql.push(" AND (");
    if found.users {
        sql.push("s.user_id IN (");
        push_candidates(sql, &query.q);
        sql.push(")");
    }
    if found.users && found.sessions {
        sql.push(" OR ");
    }
    if found.sessions {
        sql.push("s.id IN (");
        push_sessions(sql, query);
        sql.push(")");
    }
    sql.push(") IS TRUE");
}

/// The ids of sessions that are found by their address or their device.
fn push_sessions(sql: &mut Builder<'_>, query: &Query) {
    sql.push("SELECT id FROM sessions WHERE ")
        .push(of_state(query.state));
    if looks_like_address(&query.q) {
        let (from, to) = range_of_prefix(&query.q);
        sql.push(" AND address >= ").push_bind(from);
        sql.push(" AND address < ").push_bind(to);
    } else {
        sql.push(" AND device IN (SELECT name FROM devices WHERE lower(name) LIKE ")
            .push_bind(like_pattern(&query.q))
            .push(" ESCAPE '\\')");
    }
}

fn of_state(state: State) -> &'static str {
    if state == State::Ended {
        "ended_at IS NOT NULL"
    } else {
        "ended_at IS NULL"
    }
}

fn push_state(sql: &mut Builder<'_>, state: State, now: Timestamp) {
    sql.push("s.").push(of_state(state));
    if state != State::Ended {
        sql.push(" AND s.idle_expires_at > ").push_bind(now);
        sql.push(" AND s.expires_at > ").push_bind(now);
    }
}

fn push_search(sql: &mut Builder<'_>, search: &Search, q: &str) {
    match search {
        Search::All => {}
        // LIKE keeps away from the index of addresses: it would give all of them, to be sorted.
        Search::Address => {
            sql.push(" AND s.address LIKE ")
                .push_bind(format!("{}%", q.to_ascii_lowercase()));
        }
        Search::Text { any_device } => {
            sql.push(" AND (");
            push_match(sql, q);
            if *any_device {
                sql.push(" OR lower(s.device) LIKE ")
                    .push_bind(like_pattern(q));
                sql.push(" ESCAPE '\\'");
            }
            sql.push(")");
        }
    }
}

fn push_place(sql: &mut Builder<'_>, after: Option<&Cursor>) {
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
    pool: &Pool,
    state: State,
    now: Timestamp,
    most: i64,
) -> Result<i64, sqlx::Error> {
    let mut sql = pool.build("SELECT count(*) FROM (SELECT 1 FROM sessions s WHERE ");
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
    sql.build().scalar().await
}

/// What begins with `prefix` lies from the first to below the second.
fn range_of_prefix(prefix: &str) -> (String, String) {
    let from = prefix.to_ascii_lowercase();
    // Above every digit, letter and separator of an address.
    let to = format!("{from}~");
    (from, to)
}

#[cfg(test)]
mod tests;
