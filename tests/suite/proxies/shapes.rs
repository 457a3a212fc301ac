//! What people write beside the shipped lines: it is guarded as well, or leads nowhere.

use super::visitor::API;
use super::{APP, Door, Place, caddy, cases, envoy, haproxy, hold, nginx, traefik};

/// Nobody reaches the application whom Vestibule did not let in, whatever he says of himself.
fn assert_closed(door: &Door) {
    for headers in cases::made_up() {
        let headers = format!("{API}{headers}");
        for path in ["/page/", "/page/index.php", "/elsewhere"] {
            let answer = door.visitor().send("GET", APP, path, &headers, "");
            assert!(answer.status >= 400, "{path}: {answer:?}");
            let heard = door.app.heard();
            assert!(heard.is_empty(), "{path} {headers}: {heard:?}");
        }
    }
    for headers in cases::made_up() {
        let headers = format!("{API}{headers}");
        door.visitor().send("GET", APP, "/public/", &headers, "");
    }
    cases::assert_nobody_else_came(door);
}

/// And who is let in gets what is there, as himself.
fn assert_guarded(door: &Door) {
    assert_closed(door);
    let mut bob = door.signed_in("bob");
    let answer = bob.page("/page/");
    assert!(![302, 303, 401, 403].contains(&answer.status), "{answer:?}");
    for headers in cases::made_up() {
        bob.send("GET", APP, "/page/", &format!("{API}{headers}"), "");
    }
    cases::assert_nobody_else_came(door);
}

/// A site of the shipped Caddyfile with another block, in both versions.
fn caddy_guards(site: &str) {
    for version in caddy::VERSIONS {
        hold(
            |place| caddy::serve(version, place, &caddyfile(place, site)),
            assert_guarded,
        );
    }
}

/// In the block, APP is the application's address.
fn caddyfile(place: &Place, site: &str) -> String {
    let text = caddy::shipped(place);
    let app = format!("127.0.0.1:{}", place.app);
    let plain = format!("\timport vestibule\n\treverse_proxy {app}\n");
    assert!(text.contains(&plain), "{text}");
    text.replace(&plain, &(site.replace("APP", &app) + "\n"))
}

macro_rules! beside_caddys {
    ($($name:ident: $site:literal)*) => {
        mod beside_caddys {
            $(
                #[test]
                fn $name() {
                    super::caddy_guards($site);
                }
            )*
        }
    };
}

beside_caddys! {
    handle: "import vestibule
        handle /page/* {
            reverse_proxy APP
        }
        handle {
            reverse_proxy APP
        }"
    handle_before_the_import: "@all method GET HEAD POST
        handle @all {
            reverse_proxy APP
        }
        import vestibule"
    handle_path: "import vestibule
        handle_path /page/* {
            reverse_proxy APP
        }
        handle_path /public/* {
            reverse_proxy APP
        }"
    route: "route {
            reverse_proxy APP
        }
        import vestibule"
    route_of_a_path: "route /page/* {
            reverse_proxy APP
        }
        @others not path /page/*
        route @others {
            reverse_proxy APP
        }
        import vestibule"
    all_in_a_route: "route {
            import vestibule
            reverse_proxy APP
        }"
    routes_within_handles: "import vestibule
        handle /page/* {
            route {
                handle {
                    reverse_proxy APP
                }
            }
        }
        handle {
            route /public/* {
                reverse_proxy APP
            }
        }"
    reverse_proxy_of_a_path: "reverse_proxy /page/* APP
        @others not path /page/*
        reverse_proxy @others APP
        import vestibule"
    file_server: "import vestibule
        root * /etc
        rewrite * /hostname
        file_server"
    respond: "import vestibule
        respond \"a secret\""
    redir: "import vestibule
        redir /page/old /page/new
        reverse_proxy APP"
    rewrite: "import vestibule
        rewrite /page/* /public{uri}
        rewrite / /public/
        rewrite /elsewhere /public/
        reverse_proxy APP"
    uri: "import vestibule
        uri replace /page/ /public/
        reverse_proxy APP"
    try_files: "import vestibule
        try_files /public{path} /public/index.html
        reverse_proxy APP"
    php_fastcgi: "import vestibule
        root * /etc
        php_fastcgi APP {
            try_files /hostname
            split hostname
        }"
    basicauth: "import vestibule
        basicauth /private/* {
            root JDJhJDE0JHYwVUpYa1JIVi9Yam9ONE90aVlVcnVIQWpyZ0pxd0MxVGUwTGtXckY3OTFGMXpFVWdmUXou
        }
        reverse_proxy APP"
    request_header_and_header: "import vestibule
        request_header X-Own 1
        request_header -X-Other
        header X-Own 1
        encode gzip
        reverse_proxy APP"
}

/// Named routes came with Caddy 2.7.
#[test]
fn beside_caddys_import_a_named_route_is_guarded() {
    hold(
        |place| {
            let site = caddyfile(place, "invoke app\nimport vestibule\n");
            let route = format!("&(app) {{\n reverse_proxy 127.0.0.1:{}\n}}\n", place.app);
            caddy::serve(caddy::current, place, &(route + &site))
        },
        assert_guarded,
    );
}

#[test]
fn beside_caddys_import_another_snippet_is_guarded_at_every_host_of_a_block() {
    for version in caddy::VERSIONS {
        hold(
            |place| {
                let site = caddyfile(place, "handle {\n import app\n}\nimport vestibule\n");
                let site = site.replace(
                    "app.example.com {",
                    "www.example.com, app.example.com, *.example.org {",
                );
                let snippet = format!("(app) {{\n reverse_proxy 127.0.0.1:{}\n}}\n", place.app);
                caddy::serve(version, place, &(snippet + &site))
            },
            assert_guarded,
        );
    }
}

/// What the page says of handle_errors: with the import it asks anew, and Vestibule's cookie is gone by then.
const ERRORS: [&str; 2] = [
    "import vestibule\nreverse_proxy 127.0.0.1:1\nhandle_errors {\n import vestibule\n reverse_proxy APP\n}\n",
    "import vestibule\nerror /page/* 404\nreverse_proxy APP\nhandle_errors {\n import vestibule\n handle {\n  reverse_proxy APP\n }\n}\n",
];

#[test]
fn caddys_handle_errors_with_the_import_is_guarded() {
    for version in caddy::VERSIONS {
        for site in ERRORS {
            hold(
                |place| caddy::serve(version, place, &caddyfile(place, site)),
                assert_closed,
            );
        }
    }
}

#[test]
fn caddys_handle_errors_with_the_import_is_closed_while_vestibule_is_stopped() {
    for version in caddy::VERSIONS {
        hold(
            |place| caddy::serve(version, place, &caddyfile(place, ERRORS[0])),
            cases::nothing_passes_while_vestibule_is_stopped,
        );
    }
}

/// The protected server of the shipped nginx file with other locations.
fn nginx_guards(locations: &str) {
    hold(
        |place| {
            let text = nginx::shipped(place);
            let app = format!("http://127.0.0.1:{}", place.app);
            let plain = format!("    location / {{\n        proxy_pass {app};\n    }}\n");
            assert!(text.contains(&plain), "{text}");
            nginx::serve(
                place,
                &text.replace(&plain, &locations.replace("APP", &app)),
            )
        },
        assert_guarded,
    );
}

macro_rules! beside_nginxs {
    ($($name:ident: $locations:literal)*) => {
        mod beside_nginxs {
            $(
                #[test]
                fn $name() {
                    super::nginx_guards($locations);
                }
            )*
        }
    };
}

beside_nginxs! {
    exact_and_prefix_locations: "location = / { proxy_pass APP; }
        location ^~ /page/ { proxy_pass APP; }
        location /public { proxy_pass APP; }"
    regex_locations: r"location ~ \.php$ { proxy_pass APP; }
        location ~* ^/(page|public) { proxy_pass APP; }
        location / { proxy_pass APP; }"
    nested_locations: "location / {
            proxy_pass APP;
            location /page/ {
                proxy_pass APP;
                location ~ /page/$ { proxy_pass APP; }
            }
        }"
    locations_with_headers_of_their_own: "location / {
            proxy_pass APP;
            proxy_set_header X-Own 1;
        }"
    try_files: "root /nowhere;
        location / { try_files $uri @app; }
        location @app { proxy_pass APP; }"
    error_pages: "root /nowhere;
        location / { error_page 404 = @app; error_page 502 = @app; proxy_pass http://127.0.0.1:1; }
        location /page/ { proxy_pass APP; }
        location @app { proxy_pass APP; }"
    an_error_page_of_the_server: "error_page 404 500 502 503 504 = @app;
        location / { proxy_pass http://127.0.0.1:1; }
        location @app { proxy_pass APP; }"
    an_if: "location / {
            if ($request_method = GET) { proxy_pass APP; }
            proxy_pass APP;
        }"
    rewrites: "rewrite ^/page/ /public/ last;
        location / { rewrite ^ /public/ break; proxy_pass APP; }"
}

/// What nginx does not ask about does not hear a made-up name all the same.
#[test]
fn beside_nginxs_include_a_location_that_asks_nobody_hears_no_made_up_name() {
    hold(
        |place| {
            let text = nginx::shipped(place);
            let open = "location / {\n auth_request off;\n proxy_set_header X-Own 1;";
            nginx::serve(
                place,
                &text.replace(
                    "location / {\n        proxy_pass http://127",
                    &format!("{open}\n        proxy_pass http://127"),
                ),
            )
        },
        |door| {
            assert_eq!(door.visitor().page("/elsewhere").status, 200);
            for headers in cases::made_up() {
                door.visitor()
                    .send("GET", APP, "/elsewhere", &format!("{API}{headers}"), "");
            }
            cases::assert_nobody_else_came(door);
        },
    );
}

/// A line of HAProxy's before those that choose a backend, and a frontend beside the shipped one.
#[test]
fn beside_haproxys_lines_no_other_way_leads_to_a_backend() {
    for (above, host) in [
        ("use_backend app if { path_beg / }\n", APP),
        ("use_backend app if { path_beg / }\n", super::SIGN_IN),
        ("use_backend app if { path_sub . }\n", APP),
        ("default_backend app\n", "unknown.example.com"),
    ] {
        hold(
            |place| {
                let line = "    use_backend vestibule if";
                let text = haproxy::shipped(place);
                assert!(text.contains(line));
                haproxy::serve(place, &text.replace(line, &format!("    {above}{line}")))
            },
            |door| {
                for path in ["/", "/page/", "/.vestibule/..%2fpage/"] {
                    let answer = door.visitor().send("GET", host, path, API, "");
                    assert!(answer.status >= 400, "{above} {path}: {answer:?}");
                }
                door.visitor()
                    .send("GET", host, "/.vestibule/icon.svg", API, "");
                assert!(door.app.heard().is_empty(), "{:?}", door.app.heard());
            },
        );
    }
}

#[test]
fn beside_haproxys_frontend_another_does_not_reach_the_backend() {
    hold(
        |place| {
            let text = haproxy::shipped(place);
            let pair = place.path("pair.pem");
            let moved = text.replace(
                &format!("bind 127.0.0.1:{}", place.port),
                &format!("bind 127.0.0.1:{}", crate::process::free_port()),
            );
            let other = format!(
                "frontend other\n    bind 127.0.0.1:{} ssl crt {}\n    use_backend vestibule if {{ path_beg /.vestibule/ }}\n    default_backend app\n",
                place.port,
                pair.display()
            );
            haproxy::serve(place, &(moved + &other))
        },
        |door| {
            assert_eq!(door.visitor().page("/public/").status, 503);
            assert!(door.app.heard().is_empty());
        },
    );
}

/// A router that somebody adds for the same host.
#[test]
fn beside_traefiks_router_another_takes_nothing_past_it() {
    let router = "    other:\n      rule: Host(`app.example.com`) && PathPrefix(`/`) && (Method(`GET`) || Method(`POST`))\n      \
                  entryPoints: [websecure]\n      tls: {}\n      service: app\n";
    hold(
        |place| {
            let text = traefik::shipped(place);
            traefik::serve(
                place,
                &text.replace("\n  middlewares:\n", &format!("{router}\n  middlewares:\n")),
            )
        },
        assert_guarded,
    );
}

#[test]
fn beside_traefiks_router_another_with_the_middlewares_is_guarded() {
    let router = "    other:\n      rule: Host(`app.example.com`) && PathPrefix(`/page`)\n      priority: 200000\n      \
                  entryPoints: [websecure]\n      tls: {}\n      middlewares: [no-spoofed-identity, vestibule]\n      service: app\n";
    hold(
        |place| {
            let text = traefik::shipped(place);
            traefik::serve(
                place,
                &text.replace("\n  middlewares:\n", &format!("{router}\n  middlewares:\n")),
            )
        },
        assert_guarded,
    );
}

/// Routes that somebody adds above the shipped ones, in either virtual host, and a virtual host for all others.
#[test]
fn beside_envoys_routes_others_are_asked_about() {
    let route = "              - match: { prefix: / }\n                route: { cluster: app }\n";
    hold(
        |place| {
            let text = envoy::shipped(place);
            let hosts = "            virtual_hosts:\n";
            let any = format!(
                "{hosts}            - name: any\n              domains: [\"*\"]\n              routes:\n{route}"
            );
            let text = text.replace(
                "              routes:\n",
                &format!("              routes:\n{route}"),
            );
            envoy::serve(place, &text.replace(hosts, &any))
        },
        |door| {
            for host in [APP, super::SIGN_IN, "other.example.com"] {
                for path in ["/", "/page/", "/.vestibule/icon.svg", "/login"] {
                    let answer = door.visitor().send("GET", host, path, API, "");
                    assert!(answer.status >= 400, "{host}{path}: {answer:?}");
                }
            }
            assert!(door.app.heard().is_empty(), "{:?}", door.app.heard());
        },
    );
}
