//! All that the lab takes from Vestibule's library: the schema, and what the rows of a real sign-in look like.

use std::path::Path;

use vestibule::Clock;
use vestibule::foundation::db::{self, Location};
use vestibule::sites::host::Host;
use xtask::run::{Outcome, Stop};

pub use vestibule::Timestamp;
pub use vestibule::testing::seeding;
pub use vestibule::web::pages::grouped;

/// The session cookie over plain http.
pub const COOKIE: &str = "vestibule";
/// The cookie of a session at a protected site, over plain http.
pub const SITE_COOKIE: &str = "vestibule-site";

/// What comes before an app token, in a file of what is presented.
pub const BEARER: &str = "Authorization: Bearer ";

pub fn now() -> Timestamp {
    Clock::system().now()
}

/// Whether a protected site can have this name.
pub fn is_host(name: &str) -> bool {
    Host::parse(name, "http").is_some()
}

/// Makes an empty database of the newest schema.
pub async fn create_database(path: &Path) -> Outcome {
    let location = Location::parse(&path.to_string_lossy()).map_err(Stop::because)?;
    let created = db::prepare(&location).await;
    created.map_err(|refused| Stop::because(refused.to_string()))
}
