//! What comes into the tree. `cargo xtask deny` looks at the rest: advisories, licences, what was yanked.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use rocket::figment::Figment;
use rocket::figment::providers::{Format, Toml};
use serde::Deserialize;

/// The workspace's, and that of fuzz/.
const LOCKS: [&str; 2] = [
    include_str!("../../Cargo.lock"),
    include_str!("../../fuzz/Cargo.lock"),
];

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
}

fn packages(lock: &str) -> Vec<Package> {
    let lock = Figment::from(Toml::string(lock));
    lock.extract_inner("package").expect("packages")
}

/// Numbers, for "0.103.9" is older than "0.103.13"; what stands behind a hyphen or a plus is left out.
fn numbers(version: &str) -> Vec<u32> {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    let parts = release
        .split('.')
        .map(|part| part.parse().expect("a number"));
    parts.collect()
}

#[test]
fn cfg_07_no_package_is_older_than_the_mending_of_its_known_faults() {
    let oldest = BTreeMap::from([
        ("h2", "0.4.16"),
        ("time", "0.3.47"),
        ("rustls-webpki", "0.103.13"),
    ]);
    for lock in LOCKS {
        let packages = packages(lock);
        let known = packages
            .iter()
            .filter_map(|package| Some((package, oldest.get(package.name.as_str())?)));
        let mut seen = Vec::new();
        for (Package { name, version, .. }, oldest) in known {
            assert!(numbers(version) >= numbers(oldest), "{name} {version}");
            seen.push(name.as_str());
        }
        seen.sort_unstable();
        assert_eq!(seen, ["rustls-webpki", "time"], "once each, and no h2");
    }
}

#[test]
fn cfg_07_every_package_comes_from_the_registry() {
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    for lock in LOCKS {
        let packages = packages(lock);
        let ours = ["vestibule", "vestibule-fuzz", "lab", "members", "xtask"];
        for Package { name, source, .. } in &packages {
            if ours.contains(&name.as_str()) {
                assert_eq!(*source, None, "{name} is ours");
            } else {
                assert_eq!(source.as_deref(), Some(registry), "{name}");
            }
        }
        assert!(packages.len() > 100, "only {} packages", packages.len());
    }
}

/// What only the program or PostgreSQL needs.
const LEFT_OUT: [&str; 19] = [
    "clap",
    "clap_complete",
    "console",
    "indicatif",
    "jiff",
    "listenfd",
    "rpassword",
    "rustls",
    "rustls-native-certs",
    "rustls-webpki",
    "sqlx-postgres",
    "tikv-jemallocator",
    "tokio-io-timeout",
    "tracing-appender",
    "tracing-subscriber",
    "unicode-width",
    "ureq",
    "webpki-root-certs",
    "webpki-roots",
];

/// The crates that a package of the workspace is built from, build scripts included.
fn built_into(package: &str) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(env!("CARGO_MANIFEST_DIR"));
    tree.args(["tree", "--offline", "--locked", "--package", package]);
    tree.args(["--edges", "no-dev", "--prefix", "none"]);
    let out = tree.output().expect("cargo");
    assert!(out.status.success(), "{out:?}");
    let lines = String::from_utf8_lossy(&out.stdout).into_owned();
    let names = lines.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn a_site_that_embeds_vestibule_builds_nothing_of_the_program_or_postgresql() {
    let (program, site) = (built_into("vestibule"), built_into("members"));
    for name in LEFT_OUT {
        assert!(program.contains(name), "{name} is no crate of the program");
        assert!(!site.contains(name), "{name}");
    }
}

#[test]
fn one_library_of_cryptography_is_built_in() {
    let program = built_into("vestibule");
    assert!(program.contains("aws-lc-rs") && !program.contains("ring"));
}
