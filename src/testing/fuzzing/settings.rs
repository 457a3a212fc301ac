use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::foundation::settings::{Effective, Sources};

/// Takes bytes for a settings file, and what follows a line `---` for variables of the environment.
/// The file is written to `path`.
///
/// # Panics
/// Settings were taken that promise less than they should, or the token is shown.
pub fn settings(path: &Path, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (file, environment) = text.split_once("\n---\n").unwrap_or((text, ""));
    write_private(path, file);
    let variables = environment
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.into(), value.into()));
    let loaded = Effective::load(&Sources {
        file: Some(path),
        environment: variables.collect(),
        database: None,
    });
    match loaded {
        Ok(effective) => hold(&effective),
        Err(refused) => assert_ne!(refused.to_string(), "", "a refusal says why"),
    }
}

fn hold(effective: &Effective) {
    let settings = &effective.settings;
    let url = settings.url();
    match url.scheme() {
        "https" => assert!(!settings.trusted_proxies.is_empty()),
        "http" => assert!(
            settings.insecure_http || is_this_machine(url.host_str()),
            "{url}"
        ),
        other => panic!("{other}"),
    }
    for (idle, max) in [false, true].map(|remember| settings.sessions.limits(remember)) {
        assert!(!idle.is_zero() && idle <= max, "{idle:?} {max:?}");
    }
    assert!(settings.passwords.min_length >= 8);
    let shown = effective.origins();
    let token = shown.iter().find(|row| row.key == "metrics_token");
    let token = &token.expect("a row for each key").value;
    assert_eq!(token == "(hidden)", settings.metrics_token.is_some());
}

fn is_this_machine(host: Option<&str>) -> bool {
    host.is_some_and(|host| {
        host == "localhost"
            || host.ends_with(".localhost")
            || host.starts_with("127.")
            || host == "[::1]"
    })
}

fn write_private(path: &Path, text: &str) {
    let mut file = File::create(path).expect("a file");
    file.set_permissions(Permissions::from_mode(0o600))
        .expect("a mode");
    file.write_all(text.as_bytes()).expect("a write");
}
