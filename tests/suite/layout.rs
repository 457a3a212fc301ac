//! The layout of `src/`: who may import whom. ARCHITECTURE.md draws it, "The wings".

use std::fs;
use std::path::Path;

/// Each imports only what stands on a lower floor.
const FLOORS: [(&str, u8); 13] = [
    ("foundation", 0),
    ("web", 1),
    ("people", 2),
    ("sessions", 3),
    ("login", 4),
    ("account", 5),
    ("oidc", 5),
    ("sites", 5),
    ("launcher", 6),
    ("admin", 7),
    ("vestibule", 8),
    ("program", 9),
    ("testing", 10),
];

const DIRECTION: &str = "a wing imports only wings below it, so that each can be read, and changed, without those above";
const PRIVATE: &str =
    "store and routes are private modules, so that the way is route, guard, use case, store";
const SQL: &str =
    "SQL stands in store files and in foundation/db alone, where both engines are thought of";
const PLAIN_HTTP: &str =
    "sites/ judges plain http types: proxies are answered without a way through Rocket";
const KNOWN: &str = "a wing has a floor; add it to FLOORS and to ARCHITECTURE.md";

/// A file of `src/`: its path there, and its text.
type Source = (String, String);

fn sources() -> Vec<Source> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&base, &base, &mut found);
    found
}

fn collect(folder: &Path, base: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, base, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(base).expect("within").display();
            let text = fs::read_to_string(&path).expect("a file");
            found.push((name.to_string(), text));
        }
    }
}

fn floor(wing: &str) -> Option<u8> {
    let found = FLOORS.iter().find(|(name, _)| *name == wing);
    found.map(|(_, floor)| *floor)
}

/// The crate's root has the list of wings and the public names; it belongs to no wing.
fn wing(path: &str) -> Option<&str> {
    let first = path.split('/').next().unwrap_or(path);
    let wing = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main"].contains(&wing)).then_some(wing)
}

/// What is wrong with a file, each with the rule that it breaks.
fn violations((path, text): &Source) -> Vec<String> {
    let Some(wing) = wing(path) else {
        return Vec::new();
    };
    let Some(own) = floor(wing) else {
        return vec![format!("{path}: no floor for {wing}: {KNOWN}")];
    };
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let mut break_rule = |what: &str, rule: &str| {
            wrong.push(format!("src/{path}:{}: {what}: {rule}", number + 1));
        };
        for imported in imported(code) {
            if imported != wing && floor(imported).is_some_and(|floor| floor >= own) {
                break_rule(&format!("{wing} imports {imported}"), DIRECTION);
            }
        }
        if code.contains(&"super::".repeat(path.matches('/').count() + 1)) {
            break_rule("super leads out of the wing", DIRECTION);
        }
        let is_shown = code.trim_start().starts_with("pub");
        if is_shown && (code.contains("mod store;") || code.contains("mod routes;")) {
            break_rule(code.trim(), PRIVATE);
        }
        let is_store = path.starts_with("foundation/db/") || path.contains("/store");
        if !is_store && (code.contains("sqlx::query") || code.contains("QueryBuilder")) {
            break_rule("SQL", SQL);
        }
        if wing == "sites" && (code.contains("rocket::Request") || code.contains("Request<'_>")) {
            break_rule("Rocket's Request", PLAIN_HTTP);
        }
    }
    wrong
}

/// The wings that a line names: `crate::web::Answer`, `use crate::{account, admin};`.
fn imported(code: &str) -> Vec<&str> {
    let named = code.split("crate::").skip(1).flat_map(|rest| {
        let list = rest.strip_prefix('{').map(|list| {
            list.split('}')
                .next()
                .unwrap_or_default()
                .split(',')
                .collect::<Vec<_>>()
        });
        list.unwrap_or_else(|| vec![rest])
    });
    named
        .map(|name| {
            let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            name.trim().split(end).next().unwrap_or_default()
        })
        .collect()
}

fn found_in(path: &str, text: &str) -> String {
    violations(&(path.to_owned(), text.to_owned())).join("\n")
}

#[test]
fn each_wing_imports_only_what_stands_below_it() {
    let sources = sources();
    assert!(sources.len() > 100, "all of src/ is read");
    let wrong: Vec<String> = sources.iter().flat_map(violations).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_arrow_up_is_found_and_its_rule_is_named() {
    for (path, text) in [
        ("web/visit.rs", "use crate::sessions::Session;"),
        ("people/users/mod.rs", "    crate::login::sign_in();"),
        ("sites/enter.rs", "use crate::account::lifecycle;"),
        ("foundation/error.rs", "use crate::{web, foundation};"),
        ("admin/mod.rs", "use crate::vestibule::Vestibule;"),
        ("web/visit.rs", "use super::super::sessions::Session;"),
    ] {
        let found = found_in(path, text);
        assert!(found.contains(DIRECTION), "{path}: {text}: {found}");
    }
    for (path, text) in [
        ("sessions/mod.rs", "use crate::people::users::User;"),
        ("vestibule.rs", "use crate::{account, admin};"),
        ("web/visit.rs", "// not crate::sessions"),
        ("sites/doctor/steps.rs", "use super::super::policy;"),
    ] {
        assert_eq!(found_in(path, text), "", "{path}: {text}");
    }
}

#[test]
fn each_other_rule_is_seen_to_be_broken() {
    for (path, text, rule) in [
        ("people/users/mod.rs", "pub mod store;", PRIVATE),
        ("login/mod.rs", "pub(crate) mod routes;", PRIVATE),
        ("login/mod.rs", "    sqlx::query(\"SELECT 1\")", SQL),
        ("admin/export.rs", "use sqlx::QueryBuilder;", SQL),
        ("sites/enter.rs", "use rocket::Request;", PLAIN_HTTP),
        ("cellar/mod.rs", "", KNOWN),
    ] {
        let found = found_in(path, text);
        assert!(found.contains(rule), "{path}: {text}: {found}");
    }
    assert_eq!(found_in("people/users/store.rs", "sqlx::query(x)"), "");
}
