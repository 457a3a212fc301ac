use serde::Serialize;

use super::due;
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::error::Error;
use crate::sessions::CurrentSession;
use crate::web::pages::{Page, Template, template};

/// One's own data, and the end of the account.
#[derive(Serialize)]
pub struct DataPage {
    /// For how long one may think better of it; none where people may not delete their accounts.
    pub(super) grace: Option<String>,
    pub(super) due: Option<Timestamp>,
    pub(super) last_admin: bool,
}

impl DataPage {
    pub(super) async fn new(app: &App, current: &CurrentSession) -> Result<Self, Error> {
        let grace = app.settings.accounts.delete_own.0;
        Ok(Self {
            grace: grace.map(|span| humantime::format_duration(span).to_string()),
            due: due(app, current).await?,
            last_admin: false,
        })
    }
}

impl Page for DataPage {
    const TEMPLATE: Template = template!("account/data.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |grace: Option<&str>, due, last_admin| Self {
            grace: grace.map(str::to_owned),
            due,
            last_admin,
        };
        let due = Timestamp::from_micros(0);
        vec![
            page(None, None, false),
            page(Some(text), None, true),
            page(Some(text), Some(due), false),
        ]
    }
}
