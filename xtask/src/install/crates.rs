use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::run::{cargo, root};

/// A program from the crate registry, kept under target/tools: the developer's ~/.cargo/bin stays as it is.
#[derive(Clone, Copy)]
pub struct Tool {
    pub package: &'static str,
    pub version: &'static str,
    pub program: &'static str,
    /// In place of the default ones; empty for those.
    pub features: &'static [&'static str],
}

impl Tool {
    pub fn path(&self) -> PathBuf {
        folder().join("bin").join(self.program)
    }

    pub fn is_installed(&self) -> bool {
        let record = fs::read(folder().join(".crates2.json")).unwrap_or_default();
        self.path().is_file() && self.is_in(&record)
    }

    /// By cargo's own record of what it has installed, for not every program tells its version, and none its features.
    fn is_in(&self, record: &[u8]) -> bool {
        let record: Value = serde_json::from_slice(record).unwrap_or_default();
        let wanted = format!("{} {} ", self.package, self.version);
        let is_wanted = |(package, install): (&String, &Value)| {
            let features = install["features"].as_array();
            let has = |feature: &&str| features.is_some_and(|all| all.iter().any(|f| f == feature));
            package.starts_with(&wanted) && self.features.iter().all(has)
        };
        let installs = record["installs"].as_object();
        installs.is_some_and(|installs| installs.iter().any(is_wanted))
    }

    pub fn install(&self) -> Command {
        let mut install = cargo();
        install.args(["install", self.package, "--version", self.version]);
        // Unoptimised: most run for a second, and some take minutes to optimise.
        install.arg("--debug");
        // Force, for a binary that an interrupted install left behind is in the way.
        install.args(["--locked", "--force"]);
        if !self.features.is_empty() {
            install.args(["--no-default-features", "--features"]);
            install.arg(self.features.join(","));
        }
        install.arg("--root").arg(folder());
        install.arg("--target-dir").arg(folder().join("build"));
        install
    }
}

fn folder() -> PathBuf {
    root().join("target/tools")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_there_in_its_version_and_with_all_its_features() {
        let tool = Tool {
            package: "sqlx-cli",
            version: "0.9.0",
            program: "sqlx",
            features: &["postgres", "sqlite"],
        };
        let is_in = |version: &str, features: &str| {
            let id = format!("sqlx-cli {version} (registry+https://example.org/index)");
            let record = format!(r#"{{"installs":{{"{id}":{{"features":[{features}]}}}}}}"#);
            tool.is_in(record.as_bytes())
        };
        assert!(is_in("0.9.0", r#""postgres","sqlite","sqlx-toml""#));
        assert!(!is_in("0.9.0", r#""sqlite""#));
        assert!(!is_in("0.9.01", r#""postgres","sqlite""#));
        assert!(!tool.is_in(b""));
    }
}
