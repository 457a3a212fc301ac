//! The modules of the conformance plans, gone through by an application made of openid-client, which verifies each answer
//! strictly, against the real program. The tests beside this folder ask for the same of an application of our own, where the
//! clock can be set.

mod back_channel;
mod basic;
mod config;
mod logout;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::oidc::CALLBACK;
use crate::process::{Machine, Ran, free_port};
use crate::support::PASSWORD;

/// A script of tests/relying_parties, or a folder there.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/relying_parties")
        .join(name)
}

pub fn has_openid_client() -> bool {
    let is_there = script("node_modules/openid-client").exists()
        && Command::new("node").arg("--version").output().is_ok();
    if !is_there {
        println!(
            "openid-client is not here, so nothing is asked with it; cargo xtask test installs it"
        );
        assert!(
            std::env::var_os("TEST_REQUIRE_COMPONENTS").is_none(),
            "openid-client is missing"
        );
    }
    is_there
}

/// A provider with two applications and Alice; what came of a module there, unless what it needs is not here.
fn went_through(plan: &str, module: &str) -> Option<Value> {
    if !has_openid_client() {
        return None;
    }
    let machine = Machine::new();
    machine.add_user("alice", &["--email", "alice@example.com"]);
    let back_channel_port = free_port();
    let back_channel = format!("http://127.0.0.1:{back_channel_port}/out");
    let add = |name: &str, more: &[&str]| {
        let usual = ["client", "add", name, "--json", "--redirect-uri", CALLBACK];
        machine.cli(&[&usual, more].concat()).done().json()
    };
    let mut given = add(
        "RP",
        &[
            "--post-logout-uri",
            "https://app.example.com/bye",
            "--back-channel-uri",
            &back_channel,
        ],
    );
    given["other"] = add("Other", &[]);
    given["issuer"] = issuer(&machine).into();
    given["username"] = "alice".into();
    given["password"] = PASSWORD.into();
    given["back_channel_port"] = json!(back_channel_port);
    let _server = machine.start();
    let mut node = machine.command("node");
    node.arg(script("modules.mjs")).args([plan, module]);
    let ran = Ran::to_its_end(node, given.to_string().as_bytes());
    let mut seen = ran.done().json();
    seen["issuer"] = issuer(&machine).into();
    Some(seen)
}

fn issuer(machine: &Machine) -> String {
    format!("http://localhost:{}", machine.port)
}

/// Tests that each go through the module of their name, if openid-client is here, and look at what it saw.
macro_rules! modules {
    ($plan:literal: $($(#[$meta:meta])* $test:ident $module:literal |$seen:ident| $body:block)*) => {$(
        $(#[$meta])*
        #[test]
        fn $test() {
            if let Some($seen) = super::went_through($plan, $module) $body
        }
    )*};
}
use modules;

/// The browser came back with a code of this provider.
fn came_back(seen: &Value) {
    assert_eq!(seen["to"], CALLBACK, "{seen}");
    assert!(seen["code"].is_string(), "{seen}");
    assert_eq!(seen["iss"], seen["issuer"], "{seen}");
}

/// The browser came back with an error of this provider, and without a code.
fn came_back_with(seen: &Value, error: &str) {
    assert_eq!(seen["to"], CALLBACK, "{seen}");
    assert_eq!(seen["error"], error, "{seen}");
    assert_eq!(seen["code"], Value::Null, "{seen}");
    assert_eq!(seen["iss"], seen["issuer"], "{seen}");
}
