//! The readings of a path.
//!
//! Proxies and applications disagree about `%2F`, `..`, `\`, `;` and `//`. A path that could be read
//! in more than one way is judged in all of them, and the strictest judgement holds.

/// More readings than this are an attack, not a path.
const MOST_READINGS: usize = 64;

/// A path that means something else to each application: it has a bad escape, bytes that are not UTF-8,
/// characters that are not escaped, or too many readings. Or it is no path at all: see [`is_path`].
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable;

/// All that a backend may take a raw path for, decoded; one for an ordinary path.
///
/// # Errors
/// See [`Unreadable`].
pub fn readings(raw: &str) -> Result<Vec<String>, Unreadable> {
    if !raw.starts_with('/') || !raw.is_ascii() {
        return Err(Unreadable);
    }
    if is_plain(raw) {
        return Ok(vec![raw.to_owned()]);
    }
    all_readings(raw)
}

/// Whether it begins with a slash and holds no control character, however often it is decoded. What
/// else it means may not be known.
#[must_use]
pub fn is_path(raw: &str) -> bool {
    let mut bytes = raw.as_bytes().to_vec();
    for _ in 0..MOST_READINGS {
        if String::from_utf8_lossy(&bytes).contains(char::is_control) {
            return false;
        }
        let decoded: Vec<u8> = percent_encoding::percent_decode(&bytes).collect();
        if decoded == bytes {
            return raw.starts_with('/');
        }
        bytes = decoded;
    }
    false
}

fn all_readings(raw: &str) -> Result<Vec<String>, Unreadable> {
    let mut found = Vec::new();
    let mut waiting = vec![decode(raw)?];
    while let Some(path) = waiting.pop() {
        if found.len() > MOST_READINGS {
            return Err(Unreadable);
        }
        if found.contains(&path) {
            continue;
        }
        waiting.extend(other_readings(&path)?);
        found.push(path);
    }
    Ok(found)
}

/// Whether nobody reads it in another way: most paths, which need no more looking at.
fn is_plain(raw: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_~!$&'()*+,=:@.".contains(&byte);
    let is_odd = |pair: &[u8]| matches!(pair, b"//" | b"/.");
    raw.bytes().all(plain) && !raw.as_bytes().windows(2).any(is_odd)
}

/// The readings that are one step away.
fn other_readings(path: &str) -> Result<Vec<String>, Unreadable> {
    let mut others = vec![
        path.replace("%2F", "/").replace("%5C", "\\"),
        path.replace('\\', "/"),
        without_parameters(path),
        merged(path),
        resolved(path),
        // Whoever decodes once more takes these for the path's end.
        path.split(['?', '#']).next().unwrap_or_default().to_owned(),
    ];
    if is_encoded(path) {
        others.push(decode(path)?);
    }
    others.retain(|other| other != path);
    Ok(others)
}

/// Decodes all escapes but those of slashes, which stay as `%2F` and `%5C`.
fn decode(text: &str) -> Result<String, Unreadable> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return Err(Unreadable);
        };
        let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or(Unreadable);
        let byte = u8::try_from(digit(high)? * 16 + digit(low)?).map_err(|_| Unreadable)?;
        rest = after;
        match byte {
            b'/' => bytes.extend(b"%2F"),
            b'\\' => bytes.extend(b"%5C"),
            other => bytes.push(other),
        }
    }
    let decoded = String::from_utf8(bytes).map_err(|_| Unreadable)?;
    if decoded.chars().any(char::is_control) {
        Err(Unreadable)
    } else {
        Ok(decoded)
    }
}

/// Whether a second decoding would change it: an escape that is not of a slash.
fn is_encoded(path: &str) -> bool {
    path.match_indices('%').any(|(at, _)| {
        let escape = &path.as_bytes()[at..];
        escape.len() >= 3
            && escape[1..3].iter().all(u8::is_ascii_hexdigit)
            && !escape.starts_with(b"%2F")
            && !escape.starts_with(b"%5C")
    })
}

/// Without what follows a `;` in each segment, as servlet containers take it.
fn without_parameters(path: &str) -> String {
    let segments: Vec<&str> = path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or_default())
        .collect();
    segments.join("/")
}

/// With each run of slashes as one.
fn merged(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !merged.ends_with('/') {
            merged.push(c);
        }
    }
    merged
}

/// With dot segments resolved (RFC 3986, 5.2.4).
fn resolved(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut open = false;
    for segment in path.split('/').skip(1) {
        open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let slash = if open && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_path_has_one_reading(path in "/[a-z0-9./~@:!$&'()*+,=_%;-]{0,12}") {
            prop_assume!(is_plain(&path));
            prop_assert_eq!(all_readings(&path), Ok(vec![path]));
        }
    }
}
