//! Caddy, with deploy/caddy/Caddyfile.

use std::fs;
use std::process::Command;

use super::{Place, cases};
use crate::process::{free_port, is_there};

fn start(place: &Place) -> Option<Command> {
    let shipped = place.ship(
        "caddy/Caddyfile",
        &[
            ("127.0.0.1:8000", format!("127.0.0.1:{}", place.vestibule)),
            ("127.0.0.1:3000", format!("127.0.0.1:{}", place.app)),
        ],
    );
    serve(place, &fs::read_to_string(shipped).expect("a file"))
}

/// With a Caddyfile's text.
pub fn serve(place: &Place, text: &str) -> Option<Command> {
    if !is_there(
        "caddy",
        "Caddy asks before it lets anybody in (cargo xtask test installs it)",
    ) {
        return None;
    }
    // Ports of the test's own, and certificates that nobody need be asked for.
    let options = format!(
        "{{\n admin off\n local_certs\n skip_install_trust\n default_bind 127.0.0.1\n https_port {}\n http_port {}\n}}\n",
        place.port,
        free_port()
    );
    let file = place.write("Caddyfile", &(options + text));
    let mut caddy = place.command("caddy");
    caddy
        .env("HOME", place.path(""))
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(file);
    Some(caddy)
}

cases::every_proxy!(start);
