//! What is kept about a user, without what is secret.

use serde::Serialize;
use serde_json::{Value, json};

use crate::foundation::app::App;
use crate::foundation::audit::{self, Entry, EntryView, Filter, Subject};
use crate::foundation::clock::Timestamp;
use crate::foundation::error::Error;
use crate::people::users::User;
use crate::people::{app_tokens, passkeys};
use crate::sessions::CurrentSession;
use crate::sessions::listing::{self, MAX_LIMIT, Query, Sort, State};
use crate::sessions::view::SessionView;

/// As many records as anybody reads of oneself.
const MOST_RECORDS: u32 = 10_000;

pub async fn of(app: &App, current: &CurrentSession) -> Result<Value, Error> {
    let user = &current.user;
    let records = Filter {
        subject: Some(Subject::Id(user.id)),
        limit: MOST_RECORDS,
        ..Filter::default()
    };
    let records = audit::list(app.db.reader(), &records).await?;
    let records: Vec<EntryView> = records
        .into_iter()
        .map(|entry| as_told_to(user, entry))
        .map(EntryView::from)
        .collect();
    let passkeys = passkeys::of_user(app, user.id).await?;
    let passkeys: Vec<Passkey> = passkeys.into_iter().map(Passkey::from).collect();
    Ok(json!({
        "account": user,
        "authenticator_app": user.has_totp,
        "passkeys": passkeys,
        "app_tokens": app_tokens::of_user(app.db.reader(), user.id).await?,
        "sessions": sessions(app, user, current).await?,
        "records": records,
    }))
}

/// From where somebody else has done it is that person's own affair.
fn as_told_to(user: &User, entry: Entry) -> Entry {
    let is_anothers = entry
        .actor
        .as_ref()
        .is_some_and(|actor| *actor != user.username);
    Entry {
        address: entry.address.filter(|_| !is_anothers),
        ..entry
    }
}

#[derive(Serialize)]
struct Passkey {
    name: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

impl From<passkeys::Passkey> for Passkey {
    fn from(passkey: passkeys::Passkey) -> Self {
        Self {
            name: passkey.name,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
        }
    }
}

/// Live and ended ones, page after page.
async fn sessions(
    app: &App,
    user: &User,
    current: &CurrentSession,
) -> Result<Vec<SessionView>, Error> {
    let mut query = Query {
        q: String::new(),
        user_id: Some(user.id),
        state: State::All,
        sort: Sort::Started,
        after: None,
        limit: MAX_LIMIT,
    };
    let mut sessions = Vec::new();
    loop {
        let page = listing::page(app, &query).await?;
        let found = page.sessions.into_iter();
        sessions.extend(found.map(|found| SessionView::new(found, current.session.id)));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(sessions),
        }
    }
}
