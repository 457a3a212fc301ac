//! nginx, with the three files of deploy/nginx.

use std::fs;
use std::process::Command;

use super::visitor::API;
use super::{APP, Place, cases, hold};
use crate::process::is_there;

pub fn start(place: &Place) -> Option<Command> {
    serve(place, &shipped(place))
}

/// By itself nginx takes 8 KiB of cookies.
fn start_with_room_for_cookies(place: &Place) -> Option<Command> {
    let room = "large_client_header_buffers 4 64k;\n";
    serve(place, &format!("{room}{}", shipped(place)))
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

#[test]
fn cookies_of_12_kib_reach_the_application_and_longer_ones_are_told_of() {
    hold(start_with_room_for_cookies, |door| {
        for (kib, status) in [(8, 200), (12, 200), (13, 302), (16, 302), (32, 302)] {
            let mut visitor = door.visitor();
            let cookie = "x".repeat(kib * 1_024 - "a=".len());
            let jar = visitor.cookies.entry(APP.to_owned()).or_default();
            jar.insert("a".to_owned(), cookie.clone());
            let answer = visitor.page("/public/");
            assert_eq!(answer.status, status, "{kib}: {answer:?}");
            assert_eq!(answer.body.contains(&cookie), status == 200, "{kib}");
            if status == 302 {
                let told = visitor.open(answer.header("location"));
                assert_eq!(told.status, 431, "{told:?}");
                assert!(told.body.contains("cookies"), "{told:?}");
                let page = visitor.send("GET", APP, "/public/", API, "");
                assert_eq!(page.status, 401, "a program is sent nowhere: {page:?}");
            }
        }
    });
}
