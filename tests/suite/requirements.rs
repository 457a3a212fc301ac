//! tests/requirements.tsv names the test of each requirement; here it is held to what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const TABLE: &str = include_str!("../requirements.tsv");

/// The list that the table answers to, where it stands beside the checkout.
const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/requirements.tsv");

#[derive(Clone)]
struct Row<'a> {
    id: &'a str,
    state: &'a str,
    test: &'a str,
}

fn rows() -> Vec<Row<'static>> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut cells = line.split('\t');
            let mut cell = || {
                cells
                    .next()
                    .unwrap_or_else(|| panic!("three cells: {line}"))
            };
            Row {
                id: cell(),
                state: cell(),
                test: cell(),
            }
        })
        .collect()
}

#[test]
fn no_requirement_is_missing_from_the_table() {
    let ids: BTreeSet<&str> = rows().iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), rows().len(), "each id stands once");
    let Ok(list) = fs::read_to_string(LIST) else {
        assert_eq!(
            ids.len(),
            171,
            "the list is not beside this checkout, but its length is known"
        );
        return;
    };
    let listed: BTreeSet<&str> = list
        .lines()
        .skip(1)
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert_eq!(ids, listed);
}

#[test]
fn every_test_that_the_table_names_is_there() {
    for Row { id, state, test } in rows() {
        assert!(["held", "open", "later"].contains(&state), "{id}: {state}");
        for test in test.split(", ").filter(|_| state == "held") {
            let (module, name) = test
                .rsplit_once("::")
                .unwrap_or_else(|| panic!("{id}: {test} is no module::name"));
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/suite")
                .join(module.replace("::", "/"));
            let source = fs::read_to_string(path.with_extension("rs"))
                .or_else(|_| fs::read_to_string(path.join("mod.rs")));
            let source = source.unwrap_or_else(|_| panic!("{id}: there is no module {module}"));
            assert!(
                source.contains(&format!("fn {name}(")),
                "{id}: there is no test {test}"
            );
        }
    }
}

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md");

const HEAD: &str = "# What is required, and which test holds it

`cargo test --test suite requirements::` makes this page from [tests/requirements.tsv](../tests/requirements.tsv)
with `UPDATE_DOCS=1` in the environment, and without it fails where the page is not current. A test stands here by
its module below `tests/suite/` and its name; `cargo xtask test -- NAME` runs it. What is open says why.
[SECURITY.md](../SECURITY.md) tells the same in words.

";

/// What each id requires: the first cell of a line, and another.
fn texts(lines: &str, separator: &str, at: usize) -> BTreeMap<String, String> {
    let of = |line: &str| {
        let cells: Vec<&str> = line.split(separator).collect();
        let id = cells.first()?.trim_start_matches("| ");
        Some((id.to_owned(), (*cells.get(at)?).to_owned()))
    };
    lines.lines().filter_map(of).collect()
}

fn page(texts: &BTreeMap<String, String>) -> String {
    let mut page = HEAD.to_owned();
    for state in ["held", "open", "later"] {
        let rows = rows().into_iter().filter(|row| row.state == state);
        let count = rows.clone().count();
        let column = if state == "held" { "tests" } else { "why" };
        let _ = write!(
            page,
            "## {state}: {count}\n\n| id | requirement | {column} |\n| --- | --- | --- |\n"
        );
        for Row { id, test, .. } in rows {
            let test = match state {
                "held" => format!("`{}`", test.replace(", ", "`, `")),
                _ => test.to_owned(),
            };
            let text = texts
                .get(id)
                .unwrap_or_else(|| panic!("{id} requires something"));
            let text = text.trim_start_matches("[later] ");
            let text = text.replace('<', "&lt;").replace('*', "&ast;");
            let _ = writeln!(page, "| {id} | {text} | {test} |");
        }
        page.push('\n');
    }
    page.trim_end().to_owned() + "\n"
}

#[test]
fn the_page_of_requirements_is_current() {
    let found = fs::read_to_string(DOCUMENT).unwrap_or_default();
    // The page itself, where the list is not beside this checkout.
    let of_page = |text: &str| page(&texts(text, " | ", 1));
    let made = match fs::read_to_string(LIST) {
        Ok(list) => page(&texts(&list, "\t", 2)),
        Err(_) => of_page(&found),
    };
    assert!(of_page(&made) == made, "it can be made from itself");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(DOCUMENT, &made).expect("a file");
        return;
    }
    // Not as a whole: the lines that differ tell more.
    for (found, made) in found.lines().zip(made.lines()) {
        assert_eq!(found, made);
    }
    assert!(
        found == made,
        "docs/security.md ends elsewhere: UPDATE_DOCS=1 cargo test --test suite requirements::"
    );
}
