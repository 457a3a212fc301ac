//! Pages at protected hosts. What proxies ask is answered by the program's listener ([`super::authz`]).

use rocket::http::Status;
use rocket::{Route, get, routes};

use crate::web::{AnyHost, Refusal};

pub const TOO_MANY_COOKIES: &str = "/.vestibule/cookies";

pub fn routes() -> Vec<Route> {
    routes![too_many_cookies]
}

/// A browser comes here with these cookies, so that the listener may say much the same before.
#[get("/.vestibule/cookies")]
fn too_many_cookies(_host: AnyHost) -> Refusal {
    Refusal::new(
        Status::RequestHeaderFieldsTooLarge,
        "cookies_too_large",
        "Too many cookies",
        "This site keeps more cookies in this browser than can be handed on to it. Deleting this site's cookies \
         in the browser mends it.",
    )
}
