//! Mail: queued in the transaction of what it tells, composed and sent by a worker afterwards.
//!
//! What a mail says is made when it is sent, by whatever stands above ([`Compose`]): so a link in it is in no database, and
//! another try has another link. Each mail is sent at least once, always with the same Message-ID.

mod store;
#[cfg(feature = "mail")]
mod transport;
#[cfg(not(feature = "mail"))]
#[path = "without.rs"]
mod transport;
mod worker;

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::app::{App, AppBuilder};
use super::audit;
use super::clock::Timestamp;
use super::db::{Connection, Tx};
use super::error::Error;
use super::secrets::{self, Place, Sealed};

pub use store::Listed;
pub use transport::{Step, deliver};
pub use worker::{Counts, counts, newest};

/// What is to be sent.
#[derive(Debug)]
pub struct NewMail {
    /// A word that whoever composes it knows.
    pub kind: &'static str,
    pub user_id: Option<Uuid>,
    /// The address as it is stored.
    pub recipient: String,
    /// What it is composed from; no secret.
    pub data: Value,
    /// After this it is of no use to anybody.
    pub lifetime: Duration,
}

/// A mail that is being sent.
#[derive(Debug)]
pub struct Mail {
    pub id: Uuid,
    pub kind: String,
    pub user_id: Option<Uuid>,
    pub recipient: String,
    pub data: Value,
    pub created_at: Timestamp,
    sealed: Option<Sealed>,
    tries: i64,
    expires_at: Timestamp,
}

/// What a mail says, to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Why a mail was not sent.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong, and what to do about it.
    pub text: String,
    /// The server will not take it at another time either.
    pub is_permanent: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            text: error.to_string(),
            is_permanent: false,
        }
    }
}

/// Writes mails when they are sent.
#[rocket::async_trait]
pub trait Compose: Send + Sync {
    /// `None`: nothing is to be sent, and nobody needs to know.
    async fn compose(&self, app: &App, mail: &Mail) -> Result<Option<Message>, Error>;
}

pub(super) fn setup(builder: &mut AppBuilder) {
    if builder.settings.mail.is_on() {
        worker::setup(builder);
    }
}

/// Queues a mail in the transaction of what it tells; nothing where no mail server is set up.
pub(crate) async fn queue(app: &App, tx: &mut Tx, mail: NewMail) -> Result<(), Error> {
    if app.settings.mail.is_on() {
        store::insert(
            tx,
            audit::new_id_at(app.clock.now()),
            &mail,
            None,
            app.clock.now(),
        )
        .await?;
    }
    Ok(())
}

/// The same with a text that a visitor has typed, which the database does not tell.
pub(crate) async fn queue_sealed(
    app: &App,
    tx: &mut Tx,
    mail: NewMail,
    typed: &str,
) -> Result<(), Error> {
    let keys = secrets::keys(app).await?;
    let now = app.clock.now();
    let id = audit::new_id_at(now);
    let sealed = secrets::seal(app, &keys, tx, place(id), typed.as_bytes()).await?;
    Ok(store::insert(tx, id, &mail, Some(&sealed), now).await?)
}

fn place(id: Uuid) -> Place {
    Place {
        column: "mails.sealed",
        row: id,
    }
}

impl Mail {
    /// What the visitor has typed.
    ///
    /// # Errors
    /// The key is missing.
    pub async fn typed(&self, app: &App) -> Result<String, Error> {
        let Some(sealed) = &self.sealed else {
            return Ok(String::new());
        };
        let plain = secrets::open(app, place(self.id), sealed).await?;
        Ok(String::from_utf8_lossy(&plain).into_owned())
    }
}

/// How many mails of a kind were sent to a user since a moment.
pub(crate) async fn sent_since(
    app: &App,
    user_id: Uuid,
    kind: &str,
    since: Timestamp,
) -> Result<i64, Error> {
    Ok(store::sent_since(app.db.reader(), user_id, kind, since).await?)
}

/// Says for whom a mail turned out to be, within that user's transaction, unless as many as `most` of its kind were for the
/// same user since a moment. False: it is one too many, and not to be sent.
pub(crate) async fn assign(
    tx: &mut Tx,
    mail: &Mail,
    user_id: Uuid,
    most: i64,
    since: Timestamp,
) -> Result<bool, Error> {
    if store::others_since(tx, mail, user_id, since).await? >= most {
        return Ok(false);
    }
    store::set_user(tx, mail.id, Some(user_id)).await?;
    Ok(true)
}

/// Removes what was sent or given up long ago.
async fn forget(connection: &mut Connection, before: Timestamp) -> Result<(), Error> {
    Ok(store::delete_old(connection, before).await?)
}
