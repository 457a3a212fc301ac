//! How a page is read: in order until it is full, or the few that are searched for first.

use sqlx::{QueryBuilder, Sqlite, SqlitePool};
use uuid::Uuid;

use super::{of_state, push_address, push_list};
use crate::people::users::{like_pattern, matching};
use crate::sessions::listing::{Query, Sort};

/// Below, what a search finds is sorted; from there on, rows are read in order until a page is full.
/// In either case some thousand rows are read at most, where users have ten sessions each.
const FEW_USERS: usize = 500;
const FEW_DEVICES: usize = 200;
const FEW_SESSIONS: u32 = 5_000;

/// How a page is read.
pub(super) enum Plan {
    InOrder(Search),
    /// These are found first, then sorted.
    Few(Rare),
}

/// What a search asks of each row that is read in order.
pub(super) enum Search {
    All,
    Address,
    /// A user's names have it, or a device's has; if any device's has at all.
    Text {
        any_device: bool,
    },
}

impl Search {
    pub(super) fn of(q: &str, any_device: bool) -> Self {
        if q.is_empty() {
            Self::All
        } else if looks_like_address(q) {
            Self::Address
        } else {
            Self::Text { any_device }
        }
    }
}

pub(super) enum Rare {
    /// All of the state, and what is searched for among them.
    State(Search),
    /// A user's, likewise.
    User(Uuid, Search),
    Address,
    Text(Vec<Uuid>, Vec<String>),
}

/// `None`: nothing is found.
pub(super) async fn plan(pool: &SqlitePool, query: &Query) -> Result<Option<Plan>, sqlx::Error> {
    let devices = devices(pool, &query.q).await?;
    let search = Search::of(&query.q, !devices.is_empty());
    if let Some(user_id) = query.user_id {
        return Ok(Some(Plan::Few(Rare::User(user_id, search))));
    }
    let few = match &search {
        Search::All => None,
        Search::Address => are_few(pool, query, |sql| push_address(sql, &query.q))
            .await?
            .then_some(Rare::Address),
        Search::Text { .. } => few_of_text(pool, query, devices).await?,
    };
    Ok(Some(match few {
        Some(Rare::Text(users, devices)) if users.is_empty() && devices.is_empty() => {
            return Ok(None);
        }
        Some(rare) => Plan::Few(rare),
        // By user, live and ended sessions lie together: few of one kind are hard to find.
        None if query.sort == Sort::User && are_few(pool, query, |_| {}).await? => {
            Plan::Few(Rare::State(search))
        }
        None => Plan::InOrder(search),
    }))
}

/// `None`: many sessions are found by this text.
async fn few_of_text(
    pool: &SqlitePool,
    query: &Query,
    devices: Vec<String>,
) -> Result<Option<Rare>, sqlx::Error> {
    let of_devices = |sql: &mut QueryBuilder<Sqlite>| {
        sql.push(" AND device IN ");
        push_list(sql, &devices);
    };
    if devices.len() >= FEW_DEVICES
        || !devices.is_empty() && !are_few(pool, query, of_devices).await?
    {
        return Ok(None);
    }
    let users = matching(pool, &query.q, FEW_USERS).await?;
    Ok((users.len() < FEW_USERS).then_some(Rare::Text(users, devices)))
}

/// The devices with this text in their names.
async fn devices(pool: &SqlitePool, q: &str) -> Result<Vec<String>, sqlx::Error> {
    if q.is_empty() || looks_like_address(q) {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("SELECT name FROM devices WHERE name LIKE $1 ESCAPE '\\' LIMIT $2")
        .bind(like_pattern(q))
        .bind(i64::try_from(FEW_DEVICES).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await
}

/// Whether few sessions of the state are such.
async fn are_few(
    pool: &SqlitePool,
    query: &Query,
    push_condition: impl FnOnce(&mut QueryBuilder<Sqlite>),
) -> Result<bool, sqlx::Error> {
    let mut sql = QueryBuilder::new("SELECT count(*) FROM (SELECT 1 FROM sessions WHERE ");
    sql.push(of_state(query.state));
    push_condition(&mut sql);
    sql.push(" LIMIT ").push_bind(FEW_SESSIONS).push(") f");
    let count: u32 = sql.build_query_scalar().fetch_one(pool).await?;
    Ok(count < FEW_SESSIONS)
}

/// `192.168.`, `2001:db8::1`: digits and separators of an address and nothing else.
fn looks_like_address(q: &str) -> bool {
    q.contains(['.', ':'])
        && q.chars()
            .all(|c| c.is_ascii_hexdigit() || c == '.' || c == ':')
}
