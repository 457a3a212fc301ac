//! What one may open, as the start page lists it. The wings that know implement the trait.

use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::sessions::CurrentSession;
use crate::web::Device;

#[rocket::async_trait]
pub trait Launcher: Send + Sync {
    /// By name.
    async fn tiles(
        &self,
        app: &App,
        current: &CurrentSession,
        device: &Device,
    ) -> Result<Vec<Tile>, Error>;
}

/// Something that one may open.
#[derive(Serialize)]
pub struct Tile {
    pub name: String,
    url: String,
    icon: Option<String>,
    /// In place of an icon.
    initial: String,
}

impl Tile {
    #[must_use]
    pub fn new(name: &str, url: String, icon: Option<String>) -> Self {
        let letter = name.chars().find(|letter| letter.is_alphanumeric());
        Self {
            name: name.to_owned(),
            url,
            icon,
            initial: letter.into_iter().flat_map(char::to_uppercase).collect(),
        }
    }
}
