//! The documents are held to the program that they describe.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Their default is not one value, so the documents say it in words.
const IN_WORDS: [(&str, &str); 22] = [
    ("mail.host", "none"),
    ("mail.port", "by mail.tls"),
    ("mail.tls", "by mail.port"),
    ("mail.username", "none"),
    ("mail.password", "none"),
    ("mail.password_file", "none"),
    ("mail.from", "host of public_url"),
    ("mail.ca_file", "none"),
    ("mail.hello", "host of public_url"),
    ("database_password_file", "none"),
    ("database.schema", "none"),
    ("database.confirm", "none"),
    ("nodes.name", "host name"),
    ("secrets.key_file", "none"),
    ("secrets.key", "none"),
    ("listen", "none"),
    ("sites.cookie_domain", "none"),
    ("metrics_token", "none"),
    ("metrics_token_file", "none"),
    ("workers", "number of cores"),
    ("passwords.hashing_threads", "number of cores"),
    ("templates_dir", "none"),
];

fn read(name: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents of the top folder, and every one below docs/.
fn documents() -> Vec<PathBuf> {
    let in_folder = |folder: PathBuf| {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path())
    };
    let mut found: Vec<PathBuf> = in_folder(ROOT.into()).collect();
    let mut folders = vec![Path::new(ROOT).join("docs")];
    while let Some(folder) = folders.pop() {
        let (below, files): (Vec<_>, Vec<_>) = in_folder(folder).partition(|path| path.is_dir());
        folders.extend(below);
        found.extend(files);
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found
}

fn vestibule(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    program.env_clear().current_dir(ROOT).args(arguments);
    program.output().expect("the program")
}

/// Each key with its value under the settings of a file.
fn settings(file: &str) -> BTreeMap<String, Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("Rocket.toml");
    fs::write(&path, file).expect("a file");
    // It may hold a token.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    let path = path.to_str().expect("a name in UTF-8");
    let output = vestibule(&["--config", path, "config", "show", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    let shown: Vec<Value> = serde_json::from_slice(&output.stdout).expect(&errors);
    let key = |row: &Value| row["key"].as_str().expect("a key").to_owned();
    shown
        .iter()
        .map(|row| (key(row), row["value"].clone()))
        .collect()
}

fn describe(key: &str) -> Option<&'static str> {
    let found = IN_WORDS.iter().find(|(name, _)| *name == key);
    found.map(|(_, words)| *words)
}

/// A value as a table cell shows it.
fn cell(key: &str, value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    describe(key).map_or_else(|| text.trim_end_matches('/').to_owned(), str::to_owned)
}

#[test]
fn the_readme_begins_with_the_two_commands() {
    let readme = read("README.md");
    let first: Vec<&str> = readme.lines().take(30).collect();
    for command in ["cargo run --release", "cargo xtask test"] {
        assert!(first.iter().any(|line| line.trim() == command), "{command}");
    }
}

#[test]
fn the_settings_page_lists_every_setting_with_its_default() {
    let page = read("docs/settings.md");
    let table = page
        .lines()
        .skip_while(|line| !line.starts_with("| key | default |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let documented: BTreeMap<String, String> = table
        .map(|row| {
            let mut cells = row
                .split('|')
                .map(|cell| cell.trim().trim_matches('`').to_owned());
            cells.next();
            (
                cells.next().expect("a key"),
                cells.next().expect("a default"),
            )
        })
        .collect();
    let defaults: BTreeMap<String, String> = settings("")
        .iter()
        .map(|(key, value)| (key.clone(), cell(key, value)))
        .collect();
    assert_eq!(documented, defaults);
}

#[test]
fn rocket_toml_changes_nothing_until_it_is_edited() {
    assert_eq!(settings(&read("Rocket.toml")), settings(""));
}

/// Settings that contradict the others' defaults.
const APART: [&str; 6] = [
    "mail.password_file",
    "metrics_token_file",
    "sites.cookie_domain",
    "database_password_file",
    "database.schema",
    "database.confirm",
];

#[test]
fn rocket_toml_shows_every_setting_with_its_default() {
    let file = read("Rocket.toml");
    let is_setting = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
    let keys: Vec<&str> = file
        .lines()
        .filter(is_setting)
        .map(|line| line[1..].split(" = ").next().expect("a key"))
        .collect();
    let mut defaults = settings("");
    // For the environment alone.
    defaults.remove("secrets.key");
    assert_eq!(
        {
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            sorted
        },
        defaults.keys().map(String::as_str).collect::<Vec<_>>()
    );
    let uncommented: Vec<&str> = file
        .lines()
        // The token stands in one place or in the other; the domain needs an address of https, and the database one
        // of PostgreSQL's.
        .filter(|line| {
            !APART
                .iter()
                .any(|key| line.starts_with(&format!("#{key} ")))
        })
        .map(|line| if is_setting(&line) { &line[1..] } else { line })
        .collect();
    let mut shown = settings(&uncommented.join("\n"));
    for apart in APART {
        shown.insert(apart.to_owned(), json!("read apart"));
    }
    shown.insert("secrets.key".to_owned(), json!("from the environment"));
    for (key, _) in IN_WORDS {
        assert_ne!(shown.remove(key), Some(Value::Null), "{key} was read");
        defaults.remove(key);
    }
    assert_eq!(shown, defaults);
}

#[test]
fn the_program_accepts_rocket_toml() {
    let output = vestibule(&["--config", "Rocket.toml", "config", "check"]);
    assert!(output.status.success());
}

#[test]
fn a_changed_setting_is_seen_by_these_tests() {
    let changed = settings("[default.vestibule]\nsessions.idle_timeout = \"90m\"");
    assert_eq!(changed["sessions.idle_timeout"], json!("90m"));
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let documents = documents();
    assert!(documents.len() > 20, "only {documents:?}");
    for document in documents {
        let text = read(&document);
        for target in targets(&text) {
            let found = match target.split_once('#') {
                None => beside(&document, &target).exists(),
                Some(("", heading)) => has_heading(&text, heading),
                Some((file, heading)) => has_heading(&read(beside(&document, file)), heading),
            };
            assert!(found, "{}: {target}", document.display());
        }
    }
}

fn beside(document: &Path, file: &str) -> PathBuf {
    document.parent().expect("a folder").join(file)
}

/// Whether a heading has this anchor: its words in lower case, joined by hyphens.
fn has_heading(text: &str, anchor: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let is_kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
    headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|words| words.chars().filter(is_kept).collect::<String>())
        .any(|words| words.replace(' ', "-") == anchor)
}

#[test]
fn the_index_lists_every_page() {
    let docs = Path::new(ROOT).join("docs");
    let index = docs.join("README.md");
    let targets = targets(&read(&index));
    let listed: Vec<PathBuf> = targets.iter().map(|target| docs.join(target)).collect();
    for page in documents() {
        let is_below = page.starts_with(&docs) && page != index;
        assert!(!is_below || listed.contains(&page), "{}", page.display());
    }
}

/// The files that links and pictures of a document name, relative to its folder.
fn targets(text: &str) -> Vec<String> {
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let pictures = text.split('"').filter(|text| text.ends_with(".png"));
    links
        .chain(pictures)
        .filter(|target| !target.contains("://"))
        .map(str::to_owned)
        .collect()
}

/// ARCHITECTURE.md writes a step as `function` in `file`.
#[test]
fn the_walks_name_functions_that_are_there() {
    let text = read("ARCHITECTURE.md");
    let spans: Vec<&str> = text.split('`').collect();
    let mut steps = 0;
    for window in spans.windows(3).skip(1).step_by(2) {
        let [name, " in ", file] = window else {
            continue;
        };
        let source = read(file);
        let name = name.rsplit("::").next().unwrap_or(name);
        let defined = ["fn ", "struct ", "enum ", "trait ", "static ", "const "]
            .iter()
            .any(|kind| source.contains(&format!("{kind}{name}")));
        assert!(defined, "there is no {name} in {file}");
        steps += 1;
    }
    assert!(steps > 40, "only {steps} steps were found");
}
