//! The stylesheet and the icon, at addresses that a protected host's pages have too: no Host is
//! asked for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::CACHE_CONTROL;
use rocket::http::Status;
use rocket::{Route, get, routes};
use sha2::{Digest, Sha256};

use crate::web::answer::{CSS, SVG};
use crate::web::{Answer, AnyHost};

const STYLESHEET: &str = include_str!("../../templates/style.css");
const ICON: &str = include_str!("../../templates/icon.svg");

/// Its address changes with its content, so browsers may keep it for ever.
#[must_use]
pub fn stylesheet_url() -> String {
    let version = URL_SAFE_NO_PAD.encode(&Sha256::digest(STYLESHEET)[..6]);
    format!("/.vestibule/style.css?v={version}")
}

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![stylesheet, icon]
}

#[get("/.vestibule/style.css")]
fn stylesheet(_any: AnyHost) -> Answer {
    kept(CSS, STYLESHEET)
}

#[get("/.vestibule/icon.svg")]
fn icon(_any: AnyHost) -> Answer {
    kept(SVG, ICON)
}

fn kept(content_type: &'static str, body: &str) -> Answer {
    Answer::text(Status::Ok, body.to_owned())
        .content_type(content_type)
        .header(CACHE_CONTROL, "public, max-age=31536000, immutable")
}
