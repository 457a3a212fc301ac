//! What the fuzz targets and the replay of their corpora call: what reads input, with what must hold of it.

mod passkey;
mod service;
mod settings;

use std::fmt::{Debug, Display};
use std::str::FromStr;

use url::Url;

use crate::sessions::listing::{Cursor, Sort};
use crate::web::cookies::{Found, find};
use crate::web::return_to::ReturnTo;

pub use passkey::passkey;
pub use service::Service;
pub use settings::settings;

const NAME: &str = "__Host-vestibule";

/// Takes bytes for a `Cookie` header.
///
/// # Panics
/// A cookie was found whose name does not stand in the header as it is, or one of several.
pub fn cookies(bytes: &[u8]) {
    let Ok(header) = std::str::from_utf8(bytes) else {
        return;
    };
    let exact = |pair: &&str| {
        pair.split_once('=')
            .is_some_and(|(name, _)| name.trim_matches([' ', '\t']) == NAME)
    };
    let candidates: Vec<&str> = header.split(';').filter(exact).collect();
    match find([header], NAME) {
        Found::Nothing => assert!(candidates.is_empty()),
        Found::One(value) => {
            assert!(candidates.len() == 1 && candidates[0].contains(value) && !value.contains(';'))
        }
        Found::Several => assert!(candidates.len() > 1),
    }
    // Split over two headers it says the same or less, never another's value.
    if let (Some((first, second)), Found::One(value)) =
        (header.split_once(';'), find([header], NAME))
    {
        assert_eq!(find([first, second], NAME), Found::One(value));
    }
}

/// Takes bytes for a return address.
///
/// # Panics
/// The address was accepted and leads elsewhere, or could break out of a header.
pub fn return_address(bytes: &[u8]) {
    let Ok(rd) = std::str::from_utf8(bytes) else {
        return;
    };
    let public_url = Url::parse("https://auth.example.com").expect("a URL");
    let Some(back) = ReturnTo::parse(rd, &public_url) else {
        return;
    };
    let path = back.as_str();
    assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path}");
    let landed = public_url.join(path).expect("an accepted address is a URL");
    assert_eq!(landed.origin(), public_url.origin(), "{path}");
    assert_eq!(
        ReturnTo::parse(path, &public_url),
        Some(back.clone()),
        "{path}"
    );
}

/// Takes bytes for the place where a page of the session listing begins.
///
/// # Panics
/// A place was read that is written in another way, or is one of two orders.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(cursor) = text.parse::<Cursor>() else {
        return;
    };
    is_read_again(&cursor);
    let orders = [Sort::LastSeen, Sort::Started, Sort::User];
    let its_own = orders.iter().filter(|sort| cursor.is_of(**sort));
    assert_eq!(its_own.count(), 1, "{cursor}");
}

fn is_read_again<T: Display + FromStr + PartialEq + Debug>(value: &T) {
    assert_eq!(value.to_string().parse().ok().as_ref(), Some(value));
}
