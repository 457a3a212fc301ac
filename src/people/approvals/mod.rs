//! Who has signed up and waits for an admin: disabled until then.

mod store;

use serde::Serialize;
use uuid::Uuid;

use super::users;
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;

/// As many as an admin looks through.
const SHOWN: i64 = 100;

/// A user who waits, as lists show it.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    pub id: Uuid,
    pub username: String,
    pub display_name: String,
    pub email: Option<String>,
    pub asked_at: Timestamp,
}

/// Lets a new user wait.
pub(crate) async fn ask(tx: &mut Tx, user_id: Uuid, now: Timestamp) -> Result<(), Error> {
    users::set_disabled(tx, user_id, Some(now)).await?;
    Ok(store::insert(tx, user_id, now).await?)
}

/// The user waits no more. False: nor did before.
pub(crate) async fn settle(tx: &mut Tx, user_id: Uuid) -> Result<bool, Error> {
    Ok(store::delete(tx, user_id).await?)
}

/// Who has waited longest comes first.
///
/// # Errors
/// The database failed.
pub async fn list(app: &App) -> Result<Vec<Waiting>, Error> {
    Ok(store::list(app.db.reader(), SHOWN).await?)
}

/// # Errors
/// The database failed.
pub async fn count(app: &App) -> Result<i64, Error> {
    Ok(store::count(app.db.reader()).await?)
}

impl Waiting {
    /// For the test that renders every page.
    pub(crate) fn sample(text: &str) -> Self {
        Self {
            id: Uuid::nil(),
            username: text.to_owned(),
            display_name: text.to_owned(),
            email: Some(text.to_owned()),
            asked_at: Timestamp::from_micros(0),
        }
    }
}
