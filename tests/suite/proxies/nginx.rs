//! nginx, with the three files of deploy/nginx.

use std::fs;
use std::process::Command;

use super::{Place, cases};
use crate::process::is_there;

pub fn start(place: &Place) -> Option<Command> {
    serve(place, &shipped(place))
}

/// The shipped file, with this place's addresses, and the other two where it looks for them.
pub fn shipped(place: &Place) -> String {
    let (certificate, key) = place.certificate();
    let snippets = place.path("snippets");
    fs::create_dir(&snippets).expect("a folder");
    for name in ["vestibule-host.conf", "vestibule-proxy.conf"] {
        let shipped = place.ship(&format!("nginx/{name}"), &[]);
        fs::rename(shipped, snippets.join(name)).expect("a move");
    }
    let shipped = place.ship(
        "nginx/vestibule.conf",
        &[
            ("127.0.0.1:8000", format!("127.0.0.1:{}", place.vestibule)),
            ("127.0.0.1:3000", format!("127.0.0.1:{}", place.app)),
            ("listen 443", format!("listen 127.0.0.1:{}", place.port)),
            (
                "/etc/ssl/example.com/fullchain.pem",
                certificate.display().to_string(),
            ),
            (
                "/etc/ssl/example.com/privkey.pem",
                key.display().to_string(),
            ),
        ],
    );
    fs::read_to_string(shipped).expect("a file")
}

/// With the text of a file in conf.d, and what a distribution's nginx.conf says around it.
pub fn serve(place: &Place, text: &str) -> Option<Command> {
    if !is_there(
        "nginx",
        "nginx asks before it lets anybody in (cargo xtask test installs it)",
    ) {
        return None;
    }
    // One process, which is gone when it is killed; a master would leave its worker behind.
    let around = "daemon off; master_process off; pid nginx.pid; error_log stderr; events {}\n\
         http { access_log off; keepalive_timeout 1s; client_body_timeout 1s;\n\
         client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n";
    place.write("nginx.conf", &format!("{around}{text}\n}}\n"));
    let mut nginx = place.command("nginx");
    nginx
        .arg("-p")
        .arg(place.path(""))
        .args(["-c", "nginx.conf", "-e", "stderr"]);
    Some(nginx)
}

cases::every_proxy!(start);
