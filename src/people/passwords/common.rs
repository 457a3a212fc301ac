//! The passwords that are tried first, embedded so that the check works offline.

use std::collections::HashSet;
use std::sync::LazyLock;

/// One a line, lower case; lines that begin with `#!` say where they come from.
static LIST: &str = include_str!("common.txt");

static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    LIST.lines()
        .filter(|line| !line.starts_with("#!"))
        .collect()
});

/// Whether `lower`, a password in lower case, is among them.
pub fn contains(lower: &str) -> bool {
    COMMON.contains(lower)
}
