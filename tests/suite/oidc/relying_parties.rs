//! Real clients of others, against the real program.

use std::path::Path;
use std::process::Command;

use crate::process::{Machine, Ran};
use crate::support::PASSWORD;

/// Debian's, whatever else is called so here.
const PYTHON: &str = "/usr/bin/python3";

fn has_authlib() -> bool {
    let asked = Command::new(PYTHON)
        .args(["-c", "import authlib, requests"])
        .output();
    let is_there = asked.is_ok_and(|output| output.status.success());
    if !is_there {
        println!(
            "Authlib is not here, so it is not tested that it signs in; cargo xtask test installs it"
        );
        assert!(
            std::env::var_os("TEST_REQUIRE_COMPONENTS").is_none(),
            "python3-authlib is missing"
        );
    }
    is_there
}

#[test]
fn authlib_signs_in_verifies_refreshes_and_revokes() {
    if !has_authlib() {
        return;
    }
    let machine = Machine::new();
    machine.add_user("alice", &["--email", "alice@example.com"]);
    let add = [
        "client",
        "add",
        "RP",
        "--redirect-uri",
        "https://app.example.com/callback",
        "--json",
    ];
    let client = machine.cli(&add).done().out;
    let _server = machine.start();
    let issuer = format!("http://localhost:{}", machine.port);
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/relying_parties/authlib_client.py");
    let mut python = machine.command(PYTHON);
    python.arg(script).args([&issuer, "alice", PASSWORD]);
    Ran::to_its_end(python, client.as_bytes()).done();
}
