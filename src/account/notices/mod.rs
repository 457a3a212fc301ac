//! What one is told of one's own account: read, chosen, and a sign-in that was not one's own, ended by the link that tells of it.

mod pages;
mod routes;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::error::Error;
use crate::people::links::{self, Purpose};
use crate::people::users;
use crate::sessions::{self, Device, Which};

pub use pages::{EndSessionPage, NoticesPage};
pub use routes::routes;

/// The session that a link ends.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SessionOfLink {
    pub session: Uuid,
    /// As the mail describes it.
    pub device: String,
}

/// The session that a link ends, and its user's name. `None`: the link is no good.
async fn look(app: &App, token: &str) -> Result<Option<(SessionOfLink, String)>, Error> {
    let Some(link) = links::look(app, Purpose::EndSession, token).await? else {
        return Ok(None);
    };
    let user = users::by_id(app.db.reader(), link.user_id).await?;
    let session = serde_json::from_str(&link.data)?;
    Ok(user.map(|user| (session, user.username)))
}

/// Ends the session that a link was mailed about, as often as somebody comes with it. False: the link is no good.
async fn end_session(app: &App, token: &str, device: &Device) -> Result<bool, Error> {
    let Some(link) = links::look(app, Purpose::EndSession, token).await? else {
        return Ok(false);
    };
    let SessionOfLink { session, .. } = serde_json::from_str(&link.data)?;
    let which = Which::One {
        id: session,
        of: Some(link.user_id),
    };
    sessions::revoke(app, &Actor::visitor(device.address), which).await?;
    Ok(true)
}
