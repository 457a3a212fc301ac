//! tests/requirements.tsv names the test of each requirement; here it is held to what it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const TABLE: &str = include_str!("../requirements.tsv");

/// The list that the table answers to, where it stands beside the checkout.
const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/requirements.tsv");

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
            170,
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
