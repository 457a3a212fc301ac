//! How a page is read: in order until it is full, or the few that are searched for first.

use uuid::Uuid;

use super::{of_state, push_sessions};
use crate::foundation::db::{Builder, Pool};
use crate::people::users::count_candidates;
use crate::sessions::listing::{Query, Sort};

/// Below, what a search finds is sorted. From there on, rows are read in order until a page is full. In
/// either case some thousand rows are read at most, where users have ten sessions each.
const FEW_USERS: i64 = 250;
const FEW_SESSIONS: i64 = 1_000;

/// Below, it pays to collect all that a search finds, so that an index tells which rows to look at. From
/// there on, so many rows are found that a page is full soon.
const MANY_USERS: i64 = 5_000;
const MANY_SESSIONS: i64 = 10_000;

/// In the order by user, so many sessions of a state are sorted.
const FEW_OF_STATE: i64 = 5_000;

/// How a page is read.
pub(super) struct Plan {
    pub(super) way: Way,
    /// Asked of each row.
    pub(super) search: Search,
}

pub(super) enum Way {
    /// In the order of an index.
    InOrder,
    /// Likewise; the others are passed over.
    Among(Sources),
    /// These are found first, then sorted.
    Few(Few),
}

pub(super) enum Few {
    /// All of the state.
    State,
    User(Uuid),
    Search(Sources),
}

/// Where a search finds sessions by an index.
#[derive(Clone, Copy)]
pub(super) struct Sources {
    /// Those of users.
    pub(super) users: bool,
    /// By the address that is searched for, or by a device that has the text in its name.
    pub(super) sessions: bool,
}

/// What a search asks of each row.
#[derive(PartialEq)]
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

/// `None`: nothing is found.
pub(super) async fn plan(pool: &Pool, query: &Query) -> Result<Option<Plan>, sqlx::Error> {
    if let Some(user_id) = query.user_id {
        return Ok(Some(Plan {
            way: Way::Few(Few::User(user_id)),
            search: Search::of(&query.q, true),
        }));
    }
    let (users, sessions) = match Search::of(&query.q, true) {
        Search::All => (MANY_USERS, MANY_SESSIONS),
        Search::Address => (0, count_found(pool, query).await?),
        Search::Text { .. } => (
            count_candidates(pool, &query.q, MANY_USERS).await?,
            count_found(pool, query).await?,
        ),
    };
    if (users, sessions) == (0, 0) {
        return Ok(None);
    }
    let found = Sources {
        users: users > 0,
        sessions: sessions > 0,
    };
    let way = if users < FEW_USERS && sessions < FEW_SESSIONS {
        Way::Few(Few::Search(found))
    } else if query.sort == Sort::User && are_few_of_state(pool, query).await? {
        // By user, live and ended sessions lie together: few of one kind are hard to find.
        Way::Few(Few::State)
    } else if users < MANY_USERS && sessions < MANY_SESSIONS {
        Way::Among(found)
    } else {
        Way::InOrder
    };
    Ok(Some(Plan {
        way,
        search: Search::of(&query.q, found.sessions),
    }))
}

/// The sessions that are found by their address or device.
async fn count_found(pool: &Pool, query: &Query) -> Result<i64, sqlx::Error> {
    count(pool, MANY_SESSIONS, |sql| push_sessions(sql, query)).await
}

async fn are_few_of_state(pool: &Pool, query: &Query) -> Result<bool, sqlx::Error> {
    let count = count(pool, FEW_OF_STATE, |sql| {
        sql.push("SELECT 1 FROM sessions WHERE ")
            .push(of_state(query.state));
    });
    Ok(count.await? < FEW_OF_STATE)
}

/// The rows of a query, counted up to `most`.
async fn count(
    pool: &Pool,
    most: i64,
    push_query: impl FnOnce(&mut Builder<'_>),
) -> Result<i64, sqlx::Error> {
    let mut sql = pool.build("SELECT count(*) FROM (");
    push_query(&mut sql);
    sql.push(" LIMIT ").push_bind(most).push(") f");
    sql.build().scalar().await
}

/// `192.168.`, `2001:db8::1`: digits and separators of an address and nothing else.
pub(super) fn looks_like_address(q: &str) -> bool {
    q.contains(['.', ':'])
        && q.chars()
            .all(|c| c.is_ascii_hexdigit() || c == '.' || c == ':')
}
