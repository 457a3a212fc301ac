//! Links that open once: for one purpose, one user and some time. The database has their hashes alone.

mod store;

use std::time::Duration;

use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};

pub(crate) use store::{Link, end_all};

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Choosing a new password without the old one.
    Reset,
    /// Proving that an address is one's own.
    Verify,
    /// Taking a change of address back.
    Undo,
    /// Ending a session that its user did not begin.
    EndSession,
    /// A code, and no link: proving that one reads one's mail, before a first factor is set up.
    Enrol,
    /// What stands for such a proof in a session.
    Enrolling,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::Undo => "undo",
            Self::EndSession => "end_session",
            Self::Enrol => "enrol",
            Self::Enrolling => "enrolling",
        }
    }
}

/// Makes one; the token is for the link alone. Others for the same stay good until one is used.
pub(crate) async fn mint(
    app: &App,
    tx: &mut Tx,
    purpose: Purpose,
    user_id: Uuid,
    data: &str,
    lifetime: Duration,
) -> Result<Token, Error> {
    let token = Token::generate();
    put(app, tx, &token.hash(), purpose, user_id, data, lifetime).await?;
    Ok(token)
}

/// Keeps the hash of what was made elsewhere.
pub(crate) async fn put(
    app: &App,
    tx: &mut Tx,
    hash: &TokenHash,
    purpose: Purpose,
    user_id: Uuid,
    data: &str,
    lifetime: Duration,
) -> Result<(), Error> {
    let now = app.clock.now();
    let link = Link {
        user_id,
        data: data.to_owned(),
    };
    let end = now.plus(lifetime);
    Ok(store::insert(tx, hash, purpose.word(), &link, now, end).await?)
}

/// Looks at one without using it up. `None`: it is unknown, used, too old, or for something else.
pub(crate) async fn look(app: &App, purpose: Purpose, token: &str) -> Result<Option<Link>, Error> {
    match Token::parse(token) {
        Some(token) => find(app, purpose, &token.hash()).await,
        None => Ok(None),
    }
}

/// As [`look`], by the hash.
pub(crate) async fn find(
    app: &App,
    purpose: Purpose,
    hash: &TokenHash,
) -> Result<Option<Link>, Error> {
    let now = app.clock.now();
    Ok(store::find(app.db.reader(), hash, purpose.word(), now).await?)
}

/// Uses one up, and all others of the user for the same; the first of many who come with it has it.
pub(crate) async fn take(
    app: &App,
    tx: &mut Tx,
    purpose: Purpose,
    token: &str,
) -> Result<Option<Link>, Error> {
    match Token::parse(token) {
        Some(token) => take_by(app, tx, purpose, &token.hash()).await,
        None => Ok(None),
    }
}

/// As [`take`], by the hash.
pub(crate) async fn take_by(
    app: &App,
    tx: &mut Tx,
    purpose: Purpose,
    hash: &TokenHash,
) -> Result<Option<Link>, Error> {
    let link = store::take(tx, hash, purpose.word(), app.clock.now()).await?;
    if let Some(link) = &link {
        end(tx, link.user_id, purpose).await?;
    }
    Ok(link)
}

/// Ends those of a user for one purpose.
pub(crate) async fn end(tx: &mut Tx, user_id: Uuid, purpose: Purpose) -> Result<(), Error> {
    Ok(store::end_of(tx, user_id, purpose.word()).await?)
}

/// Removes what has ended by time.
pub(crate) async fn sweep(app: &App) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::delete_expired(&mut tx, app.clock.now()).await?;
    Ok(tx.commit().await?)
}
