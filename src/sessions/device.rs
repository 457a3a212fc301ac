//! A device in words, out of its user agent.

use woothee::parser::Parser;

use super::Device;
use crate::foundation::audit;

/// `Firefox on Linux, 192.0.2.1`, for people.
#[must_use]
pub fn with_address(device: &Device) -> String {
    let address = device.address.to_canonical().to_string();
    match describe(&audit::sanitize(&device.user_agent)) {
        unknown if unknown.is_empty() => address,
        name => format!("{name}, {address}"),
    }
}

/// `Firefox on Linux`; empty where the user agent says nothing of the kind.
#[must_use]
pub fn describe(user_agent: &str) -> String {
    // Only words of the library's: what else a client calls itself is in the user agent alone.
    let Some(found) = Parser::new().parse(user_agent) else {
        return String::new();
    };
    let known = |text: &str| !text.is_empty() && text != "UNKNOWN";
    match (known(found.name), known(found.os)) {
        (true, true) => format!("{} on {}", found.name, found.os),
        (true, false) => found.name.to_owned(),
        (false, true) => found.os.to_owned(),
        (false, false) => String::new(),
    }
}
