//! The stylesheet, the icon and the one script, at addresses that a protected host's pages have too: no Host is
//! asked for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::CACHE_CONTROL;
use rocket::http::Status;
use rocket::{Route, get, routes};
use sha2::{Digest, Sha256};

use crate::web::answer::{CSS, SCRIPT, SVG};
use crate::web::{Answer, AnyHost};

const STYLESHEET: &str = include_str!("../../templates/style.css");
const PASSKEY_SCRIPT: &str = include_str!("../../templates/passkey.js");
const ICON: &str = include_str!("../../templates/icon.svg");

#[must_use]
pub fn stylesheet_url() -> String {
    address("style.css", STYLESHEET)
}

/// Of the script that asks for passkeys.
#[must_use]
pub fn passkey_script_url() -> String {
    address("passkey.js", PASSKEY_SCRIPT)
}

/// It changes with the content, so browsers may keep that for ever.
fn address(name: &str, content: &str) -> String {
    let version = URL_SAFE_NO_PAD.encode(&Sha256::digest(content)[..6]);
    format!("/.vestibule/{name}?v={version}")
}

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![stylesheet, passkey_script, icon]
}

#[get("/.vestibule/style.css")]
fn stylesheet(_any: AnyHost) -> Answer {
    kept(CSS, STYLESHEET)
}

#[get("/.vestibule/passkey.js")]
fn passkey_script(_any: AnyHost) -> Answer {
    kept(SCRIPT, PASSKEY_SCRIPT)
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
