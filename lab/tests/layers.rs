//! The lab's modules use each other in one direction.

use std::fs;
use std::path::{Path, PathBuf};

/// A module uses those of the lines above its own; two of one line do not know each other.
const LAYERS: [&[&str]; 5] = [
    &["library"],
    &["sqlite", "statistics", "markdown"],
    &["driver"],
    &["seed"],
    &["bench", "faults", "soak"],
];

#[test]
fn modules_use_only_those_below_them() {
    for (module, text) in files() {
        if module == "main" {
            continue;
        }
        for unread in ["super::super", "crate::{"] {
            assert!(
                !text.contains(unread),
                "lab/src: {module} has {unread}: name one module after crate::, as this test reads it"
            );
        }
        for used in text.split("crate::").skip(1).map(first_name) {
            let (user, used) = (layer(&module), (layer(used), used));
            assert!(
                used.1 == module || used.0 < user,
                "lab/src: {module} uses {}, which is not below it. What both need moves down, so that each \
                 experiment can be read and changed without the others.",
                used.1
            );
        }
    }
}

#[test]
fn only_one_module_uses_the_library() {
    for (module, text) in files() {
        assert!(
            module == "library" || !text.contains("vestibule::"),
            "lab/src: {module} uses vestibule: take it from library.rs, the one place to mend when the \
             library's modules move"
        );
    }
}

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("lab/src: {module} is in no line of LAYERS"))
}

fn first_name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Each source file's text, with the name of its top-level module.
fn files() -> Vec<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    find(&source, &mut files);
    let read = |path: &PathBuf| {
        let below = path.strip_prefix(&source).unwrap();
        let module = below.components().next().unwrap().as_os_str();
        let module = module.to_str().unwrap().trim_end_matches(".rs");
        (module.to_owned(), fs::read_to_string(path).unwrap())
    };
    assert!(files.len() > 20, "{} files", files.len());
    files.iter().map(read).collect()
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
