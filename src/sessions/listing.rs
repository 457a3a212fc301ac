//! The session listing: search, states, orders, and pages that stay right while rows come and go.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::store::{self, Found};
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::error::Error;

/// More rows than this make no page.
pub const MAX_LIMIT: u32 = 200;

/// Which sessions to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Found in the user's name, display name or address of mail, or in the device, where one or two characters
    /// are their beginning; or how the network address begins. Empty: all.
    pub q: String,
    /// Only this user's.
    pub user_id: Option<Uuid>,
    pub state: State,
    pub sort: Sort,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// At most [`MAX_LIMIT`].
    pub limit: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Live,
    Ended,
    All,
}

/// Newest first, users by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    LastSeen,
    Started,
    User,
}

/// The place of a row in an order. Written into links; a forged one only names another place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cursor {
    LastSeen(Timestamp, Uuid),
    Started(Uuid),
    User(String, Uuid),
}

/// A page of the listing.
#[derive(Debug)]
pub struct Listing {
    pub sessions: Vec<Found>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// One page.
///
/// # Errors
/// The database failed.
pub async fn page(app: &App, query: &Query) -> Result<Listing, Error> {
    let now = app.clock.now();
    let states = match query.state {
        State::All => vec![State::Live, State::Ended],
        one => vec![one],
    };
    // One more than asked for tells whether there is a next page.
    let query = Query {
        limit: query.limit.min(MAX_LIMIT) + 1,
        ..query.clone()
    };
    let mut sessions = Vec::new();
    for state in states {
        sessions.extend(
            store::page(
                app.db.reader(),
                &Query {
                    state,
                    ..query.clone()
                },
                now,
            )
            .await?,
        );
    }
    if query.state != State::Live {
        sessions.extend(store::page_of_former(app.db.reader(), &query).await?);
    }
    sort(&mut sessions, query.sort);
    let full = sessions.len() >= query.limit as usize;
    sessions.truncate(query.limit as usize - 1);
    let next = sessions
        .last()
        .filter(|_| full)
        .map(|last| query.sort.place(last));
    store::add_applications(app.db.reader(), &mut sessions).await?;
    Ok(Listing { sessions, next })
}

/// How many sessions there are in a state; counted up to `most` only.
///
/// # Errors
/// The database failed.
pub async fn count(app: &App, state: State, most: i64) -> Result<i64, Error> {
    Ok(store::count(app.db.reader(), state, app.clock.now(), most).await?)
}

fn sort(sessions: &mut [Found], by: Sort) {
    sessions.sort_by(|a, b| {
        let (a, b) = (by.place(a), by.place(b));
        if by == Sort::User {
            a.cmp(&b)
        } else {
            b.cmp(&a)
        }
    });
}

impl Sort {
    fn place(self, found: &Found) -> Cursor {
        match self {
            Self::LastSeen => Cursor::LastSeen(found.last_seen_at, found.id),
            Self::Started => Cursor::Started(found.id),
            Self::User => Cursor::User(found.username.clone(), found.id),
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LastSeen => "last_seen",
            Self::Started => "started",
            Self::User => "user",
        }
    }
}

impl State {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ended => "ended",
            Self::All => "all",
        }
    }
}

/// The text is none of the words that are known.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown;

impl FromStr for Sort {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        [Self::LastSeen, Self::Started, Self::User]
            .into_iter()
            .find(|sort| sort.as_str() == text)
            .ok_or(Unknown)
    }
}

impl FromStr for State {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        [Self::Live, Self::Ended, Self::All]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(Unknown)
    }
}

impl Cursor {
    /// Whether it is a place in this order, and not of another listing.
    #[must_use]
    pub fn is_of(&self, sort: Sort) -> bool {
        matches!(
            (self, sort),
            (Self::LastSeen(..), Sort::LastSeen)
                | (Self::Started(_), Sort::Started)
                | (Self::User(..), Sort::User)
        )
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastSeen(at, id) => write!(f, "last_seen~{}~{id}", at.unix_micros()),
            Self::Started(id) => write!(f, "started~{id}"),
            Self::User(username, id) => write!(f, "user~{username}~{id}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let parts: Vec<&str> = text.split('~').collect();
        let id = |text: &str| Uuid::try_parse(text).map_err(|_| Unknown);
        match parts.as_slice() {
            ["last_seen", at, last] => Ok(Self::LastSeen(
                Timestamp::from_micros(at.parse().map_err(|_| Unknown)?),
                id(last)?,
            )),
            ["started", last] => Ok(Self::Started(id(last)?)),
            ["user", username, last] => Ok(Self::User((*username).to_owned(), id(last)?)),
            _ => Err(Unknown),
        }
    }
}
