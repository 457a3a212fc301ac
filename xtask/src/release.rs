//! What a release is made of, gathered in target/artifacts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde_json::Value;
use sha2::{Digest, Sha256};

use xtask::install::{Source, Tool};
use xtask::need::{Need, install_missing};
use xtask::run::{Outcome, Stop, cargo, failed, output, root, say, step};

/// Build the program and gather what a release is made of in target/artifacts
#[derive(Args)]
#[command(after_help = "Example: cargo xtask release")]
pub struct Release {}

const CYCLONEDX: Tool = Tool {
    package: "cargo-cyclonedx",
    version: "0.5.9",
    program: "cargo-cyclonedx",
    features: &[],
};

const NEEDS: &[Need] = &[Need {
    what: "cargo-cyclonedx 0.5.9",
    why: "to list what the program is made of",
    present: || CYCLONEDX.is_installed(),
    source: Source::Crates(CYCLONEDX),
}];

/// The system that the program is for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What goes along as it stands.
const FILES: [&str; 9] = [
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "ARCHITECTURE.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "Rocket.toml",
    "deploy",
    "docs",
];

impl Release {
    pub fn run(&self) -> Outcome {
        install_missing(NEEDS)?;
        step(cargo().args([
            "build",
            "--profile",
            "dist",
            "--locked",
            "--bin",
            "vestibule",
        ]))?;
        let dist = root().join("target/artifacts");
        let _ = fs::remove_dir_all(&dist);
        fs::create_dir_all(&dist).map_err(failed(dist.display()))?;
        copy(
            &root().join("target/dist/vestibule"),
            &dist.join("vestibule"),
        )?;
        for name in FILES {
            copy(&root().join(name), &dist.join(name))?;
        }
        list_parts(&dist.join("vestibule.cdx.json"))?;
        write_sums(&dist)?;
        say("target/artifacts has the release; `sha256sum --check SHA256SUMS` there checks it");
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Outcome {
    step(Command::new("cp").arg("-r").arg(from).arg(to))
}

/// Writes the bill of materials, and checks that it names every crate that is built in.
fn list_parts(bill: &Path) -> Outcome {
    step(&mut cyclonedx())?;
    // It writes one beside each manifest of the workspace, and where that stands on this machine into it.
    let made = root().join("vestibule_bin.cdx.json");
    let text = fs::read_to_string(&made).map_err(failed(made.display()))?;
    let text = text.replace(&format!("file://{}", root().display()), "file://.");
    fs::write(bill, &text).map_err(failed(bill.display()))?;
    let _ = fs::remove_file(made);
    for other in [
        "examples/members/members_bin.cdx.json",
        "lab/lab_bin.cdx.json",
        "xtask/xtask_bin.cdx.json",
    ] {
        let _ = fs::remove_file(root().join(other));
    }
    let named = named(&text).map_err(failed(bill.display()))?;
    let absent: Vec<_> = built_in()?.difference(&named).cloned().collect();
    if absent.is_empty() {
        say(&format!(
            "the bill of materials names {} crates",
            named.len()
        ));
        return Ok(());
    }
    Err(Stop::because(format!(
        "the bill of materials lacks {}",
        absent.join(", ")
    )))
}

fn cyclonedx() -> Command {
    let mut cyclonedx = Command::new(CYCLONEDX.path());
    cyclonedx.current_dir(root());
    cyclonedx.args(["cyclonedx", "--format", "json", "--spec-version", "1.5"]);
    cyclonedx.args([
        "--describe",
        "binaries",
        "--no-build-deps",
        "--target",
        TARGET,
    ]);
    // The commit's time in place of now: the same commit, the same list.
    let committed = output(Command::new("git").args(["log", "-1", "--format=%ct"]));
    if let Some(seconds) = committed {
        cyclonedx.env("SOURCE_DATE_EPOCH", seconds.trim());
    }
    cyclonedx
}

/// `name version` of each crate that a bill of materials names.
fn named(bill: &str) -> serde_json::Result<BTreeSet<String>> {
    let bill: Value = serde_json::from_str(bill)?;
    let text = |part: &Value, key: &str| part[key].as_str().unwrap_or_default().to_owned();
    let parts = bill["components"].as_array().cloned().unwrap_or_default();
    let names = parts.iter().chain([&bill["metadata"]["component"]]);
    Ok(names
        .map(|part| format!("{} {}", text(part, "name"), text(part, "version")))
        .collect())
}

/// `name version` of each crate in the program, as cargo knows them.
fn built_in() -> Result<BTreeSet<String>, Stop> {
    let tree = [
        "tree",
        "--locked",
        "--package",
        "vestibule",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--target",
        TARGET,
    ];
    let tree = output(cargo().args(tree)).ok_or_else(|| Stop::because("cargo tree failed"))?;
    Ok(crates_of(&tree))
}

fn crates_of(tree: &str) -> BTreeSet<String> {
    let crates = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some(format!("{name} {version}"))
    });
    crates.collect()
}

/// In the form that `sha256sum --check` reads.
fn write_sums(dist: &Path) -> Outcome {
    let mut files = Vec::new();
    find_files(dist, &mut files).map_err(failed(dist.display()))?;
    files.sort();
    let mut sums = String::new();
    for file in files {
        let bytes = fs::read(&file).map_err(failed(file.display()))?;
        let name = file.strip_prefix(dist).unwrap_or(&file).display();
        for byte in Sha256::digest(&bytes) {
            sums += &format!("{byte:02x}");
        }
        sums += &format!("  {name}\n");
    }
    let path = dist.join("SHA256SUMS");
    fs::write(&path, sums).map_err(failed(path.display()))
}

fn find_files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_files(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_goes_along_is_there() {
        for name in FILES {
            assert!(root().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_crate_that_the_bill_lacks_is_noticed() {
        let bill = r#"{"metadata":{"component":{"name":"vestibule","version":"0.1.0"}},
                       "components":[{"name":"csv","version":"1.4.0"}]}"#;
        let tree = "vestibule v0.1.0 (/here)\ncsv v1.4.0\nurl v2.5.7 (*)\n\n";
        let absent: Vec<_> = crates_of(tree)
            .difference(&named(bill).unwrap())
            .cloned()
            .collect();
        assert_eq!(absent, ["url 2.5.7"]);
    }

    #[test]
    fn cargo_names_what_is_built_in() {
        let built_in: Vec<String> = built_in().unwrap().into_iter().collect();
        for name in ["vestibule ", "rocket ", "libsqlite3-sys "] {
            assert!(built_in.iter().any(|one| one.starts_with(name)), "{name}");
        }
    }

    #[test]
    fn sums_name_files_by_their_way_from_the_release() {
        let dist = tempfile::tempdir().unwrap();
        fs::create_dir(dist.path().join("docs")).unwrap();
        fs::write(dist.path().join("docs/a.md"), "").unwrap();
        write_sums(dist.path()).unwrap();
        let sums = fs::read_to_string(dist.path().join("SHA256SUMS")).unwrap();
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sums, format!("{of_nothing}  docs/a.md\n"));
    }
}
