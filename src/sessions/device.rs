//! A device in words, out of its user agent.

use woothee::parser::Parser;

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
