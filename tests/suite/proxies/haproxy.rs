//! HAProxy, with the two files of deploy/haproxy.

use std::fs;
use std::process::Command;

use super::{Place, cases};
use crate::process::is_there;

fn start(place: &Place) -> Option<Command> {
    serve(place, &shipped(place))
}

/// The shipped configuration, with this place's addresses.
pub fn shipped(place: &Place) -> String {
    let (certificate, key) = place.certificate();
    let pair = [certificate, key].map(|path| fs::read_to_string(path).expect("a file"));
    let pair = place.write("pair.pem", &pair.concat());
    let script = place.ship("haproxy/vestibule.lua", &[]);
    let file = place.ship(
        "haproxy/haproxy.cfg",
        &[
            ("127.0.0.1:8000", format!("127.0.0.1:{}", place.vestibule)),
            ("127.0.0.1:3000", format!("127.0.0.1:{}", place.app)),
            ("bind :443", format!("bind 127.0.0.1:{}", place.port)),
            ("/etc/haproxy/certs/", pair.display().to_string()),
            ("/etc/haproxy/vestibule.lua", script.display().to_string()),
        ],
    );
    fs::read_to_string(file).expect("a file")
}

pub fn serve(place: &Place, text: &str) -> Option<Command> {
    if !is_there(
        "haproxy",
        "HAProxy asks before it lets anybody in (cargo xtask test installs it)",
    ) {
        return None;
    }
    let mut haproxy = place.command("haproxy");
    haproxy
        .arg("-db")
        .arg("-f")
        .arg(place.write("haproxy.cfg", text));
    Some(haproxy)
}

cases::every_proxy!(start);

#[test]
fn a_websocket_over_http_2_is_asked_about() {
    super::hold(
        |place| {
            let bind = format!("bind 127.0.0.1:{} ssl", place.port);
            let text = shipped(place);
            assert!(text.contains(&bind));
            serve(
                place,
                &text.replace(&bind, &format!("{bind} alpn h2,http/1.1")),
            )
        },
        super::http2::a_websocket_over_http_2_is_asked_about,
    );
}
