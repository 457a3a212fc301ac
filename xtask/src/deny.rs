//! `cargo deny` over the lock files of the workspace and of fuzz/, as far as its data can be reached.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use xtask::install::{Source, Tool};
use xtask::need::{Need, install_missing};
use xtask::run::{Outcome, Stop, cargo, root, say, step};

/// Check what comes into the tree: advisories, yanked versions, licences, sources, bans
#[derive(Args)]
#[command(after_help = "Example: cargo xtask deny --require-advisories")]
pub struct Deny {
    /// Fail where the database of advisories cannot be reached, as before a release
    #[arg(long)]
    require_advisories: bool,
}

const CARGO_DENY: Tool = Tool {
    package: "cargo-deny",
    version: "0.20.2",
    program: "cargo-deny",
    features: &[],
};

const NEEDS: &[Need] = &[Need {
    what: "cargo-deny 0.20.2",
    why: "to check what comes into the tree",
    present: || CARGO_DENY.is_installed(),
    source: Source::Crates(CARGO_DENY),
}];

/// The workspace, and fuzz/ with a lock file of its own.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

impl Deny {
    pub fn run(&self) -> Outcome {
        install_missing(NEEDS)?;
        for manifest in MANIFESTS {
            // What was yanked since the index was last read, only a new one tells.
            let update = [
                "update",
                "--dry-run",
                "--quiet",
                "--manifest-path",
                manifest,
            ];
            step(cargo().args(update))?;
            step(cargo_deny(manifest, SETTINGS).args(["check", "bans", "licenses", "sources"]))?;
        }
        let advisories = step(cargo_deny(MANIFESTS[0], SETTINGS).args(["fetch", "db"])).is_ok();
        for manifest in MANIFESTS {
            if advisories {
                step(cargo_deny(manifest, SETTINGS).args(["check", "advisories"]))?;
            } else {
                refuse_yanked(manifest)?;
            }
        }
        let done = "checked: bans, licences, sources, yanked versions";
        match (advisories, self.require_advisories) {
            (true, _) => say(&format!("{done}, advisories")),
            (false, false) => say(&format!("{done}; NOT CHECKED: {UNREACHABLE}")),
            (false, true) => return Err(Stop::because(UNREACHABLE)),
        }
        Ok(())
    }
}

const UNREACHABLE: &str = "advisories, for their database cannot be fetched from here";

fn cargo_deny(manifest: &str, settings: impl AsRef<OsStr>) -> Command {
    let mut deny = Command::new(CARGO_DENY.path());
    deny.current_dir(root());
    deny.args(["--locked", "--manifest-path", manifest, "--config"]);
    deny.arg(settings);
    deny
}

const SETTINGS: &str = "deny.toml";

/// cargo-deny looks at what was yanked along with advisories, and never without: it is given a database
/// whose one advisory is about nothing. What it then says of advisories is kept from the output.
fn refuse_yanked(manifest: &str) -> Outcome {
    let settings = stand_in().map_err(|error| Stop::because(format!("target/deny: {error}")))?;
    let mut deny = cargo_deny(manifest, settings);
    deny.args(["--offline", "check", "advisories"]);
    let checked = deny
        .output()
        .map_err(|error| Stop::because(format!("cargo-deny: {error}")))?;
    if checked.status.success() {
        say(&format!("{manifest}: no yanked version"));
        return Ok(());
    }
    let told = String::from_utf8_lossy(&checked.stderr);
    Err(Stop::because(format!(
        "{manifest}: cargo deny failed\n{told}"
    )))
}

/// The folder that cargo-deny looks for, named after a hash of the address that it would fetch from.
const DATABASE: &str = "advisory-db-3157b0e258782691";

const ABOUT_NOTHING: &str = "```toml
[advisory]
id = \"RUSTSEC-2000-0000\"
package = \"none\"
date = \"2000-01-01\"

[versions]
patched = []
```

# About nothing
";

/// Makes that database, and gives settings that name it.
fn stand_in() -> std::io::Result<PathBuf> {
    let folder = root().join("target/deny");
    let database = folder.join(DATABASE);
    fs::create_dir_all(database.join("crates/none"))?;
    fs::write(
        database.join("crates/none/RUSTSEC-2000-0000.md"),
        ABOUT_NOTHING,
    )?;
    fs::create_dir_all(database.join(".git"))?;
    fs::write(database.join(".git/FETCH_HEAD"), "")?;
    let ours = fs::read_to_string(root().join(SETTINGS))?;
    let heading = "[advisories]";
    let text = ours.replace(heading, &format!("{heading}\ndb-path = {folder:?}"));
    let settings = folder.join(SETTINGS);
    fs::write(&settings, text)?;
    Ok(settings)
}
