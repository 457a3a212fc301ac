//! Configurations as Authelia's manual has them, with what docs/proxies/from-authelia.md says to change.

use std::process::Command;

use super::{Door, Place, caddy, hold, nginx};

/// Nothing is changed but the address.
fn with_caddy(place: &Place) -> Option<Command> {
    let file = format!(
        "auth.example.com {{\n reverse_proxy 127.0.0.1:{vestibule}\n}}\n\
         app.example.com {{\n forward_auth 127.0.0.1:{vestibule} {{\n  uri /api/authz/forward-auth\n\
         \x20 copy_headers Remote-User Remote-Groups Remote-Email Remote-Name\n }}\n reverse_proxy 127.0.0.1:{app}\n}}\n",
        vestibule = place.vestibule,
        app = place.app,
    );
    caddy::serve(caddy::debian, place, &file)
}

/// The address, and the two lines at the end of the second location.
fn with_nginx(place: &Place) -> Option<Command> {
    let server = |name: &str, locations: &str| {
        let (certificate, key) = place.certificate();
        format!(
            "server {{ listen 127.0.0.1:{} ssl; server_name {name}; ssl_certificate {}; ssl_certificate_key {};\n{locations} }}\n",
            place.port,
            certificate.display(),
            key.display()
        )
    };
    let sign_in = format!(
        "location / {{ proxy_pass http://127.0.0.1:{}; proxy_set_header Host $host; }}",
        place.vestibule
    );
    let app = "location /internal/authelia/authz {
            internal;
            proxy_pass http://127.0.0.1:VESTIBULE/api/authz/auth-request;
            proxy_set_header X-Original-Method $request_method;
            proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header Content-Length \"\";
            proxy_set_header Connection \"\";
            proxy_pass_request_body off;
        }
        location / {
            proxy_pass http://127.0.0.1:APPLICATION;
            auth_request /internal/authelia/authz;
            auth_request_set $user $upstream_http_remote_user;
            proxy_set_header Remote-User $user;
            auth_request_set $redirection_url $upstream_http_location;
            error_page 401 =302 $redirection_url;
            auth_request_set $vestibule_set_cookie $upstream_http_set_cookie;
            add_header Set-Cookie $vestibule_set_cookie always;
        }"
    .replace("VESTIBULE", &place.vestibule.to_string())
    .replace("APPLICATION", &place.app.to_string());
    let file = server("auth.example.com", &sign_in) + &server("app.example.com", &app);
    nginx::serve(place, &file)
}

fn leads_in(door: &Door) {
    let answer = door.signed_in("alice").page("/page/");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer
            .body
            .to_ascii_lowercase()
            .contains("\r\nremote-user: alice\r\n")
    );
}

#[test]
fn a_caddyfile_needs_the_address_alone() {
    hold(with_caddy, leads_in);
}

#[test]
fn an_nginx_configuration_needs_the_address_and_the_set_cookie_lines() {
    hold(with_nginx, leads_in);
}
