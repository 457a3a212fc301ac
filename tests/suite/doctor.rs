//! `vestibule doctor` and its page, before a real nginx that is right or wrong in one thing.

use serde_json::Value;

use crate::nginx::{House, Plan};
use crate::process::Browser;
use crate::support::PASSWORD;

/// Names that need no name server: people sign in at one and are protected at the other.
const SIGN_IN: &str = "localhost";
const APP: &str = "127.0.0.1";

/// With a public part, so that the doctor sees what the application is sent.
fn house_with(plan: Plan) -> Option<House> {
    let house = House::build(plan)?;
    house.add_site(APP, "signed-in");
    let host = format!("{APP}:{}", house.port);
    let public = [
        "rule",
        "add",
        &host,
        "--path",
        "/public/*",
        "--who",
        "anyone",
        "--allow",
    ];
    house.machine.cli(&public).done();
    Some(house)
}

fn house() -> Option<House> {
    house_with(PLAN)
}

const PLAN: Plan = Plan {
    sign_in: SIGN_IN,
    sites: &[APP],
    tls: false,
    system_ca: false,
    trusted_proxies: r#"["127.0.0.1"]"#,
};

/// What the doctor found.
struct Report {
    code: i32,
    findings: Vec<Value>,
}

impl Report {
    fn of(house: &House, url: &str, options: &[&str]) -> Self {
        let arguments = [&["doctor", url, "--json"], options].concat();
        let ran = house.machine.cli(&arguments);
        let findings = ran.json().as_array().expect("a list").clone();
        Self {
            code: ran.code,
            findings,
        }
    }

    /// Each step with what came of it.
    fn outcomes(&self) -> Vec<(&str, &str)> {
        self.findings
            .iter()
            .map(|finding| {
                let text = |key: &str| finding[key].as_str().expect("a text");
                (text("step"), text("outcome"))
            })
            .collect()
    }

    /// The first step that is wrong, what was found there and its cure.
    fn first_wrong(&self) -> (&str, String) {
        let wrong = self.findings.iter().find(|one| one["outcome"] == "wrong");
        let wrong = wrong.unwrap_or_else(|| panic!("nothing wrong: {:#?}", self.findings));
        assert_eq!(self.code, 1);
        let step = wrong["step"].as_str().expect("a step");
        (step, format!("{} {}", wrong["found"], wrong["cure"]))
    }

    fn is_all_right(&self) {
        for (step, outcome) in self.outcomes() {
            assert_eq!(outcome, "right", "{step}: {:#?}", self.findings);
        }
        assert_eq!((self.code, self.findings.len()), (0, 13));
    }
}

#[test]
fn a_site_that_is_right_gets_a_tick_for_each_step() {
    let Some(house) = house() else {
        return;
    };
    Report::of(&house, &house.at(APP, "/public/page?x=1&y=%2F"), &[]).is_all_right();
}

#[test]
fn what_cannot_be_seen_from_outside_is_said_and_is_no_fault() {
    let Some(house) = house() else {
        return;
    };
    let report = Report::of(&house, &house.at(APP, "/page?x=1"), &[]);
    for (step, outcome) in report.outcomes() {
        let expected = if step == "identity" {
            "unseen"
        } else {
            "right"
        };
        assert_eq!(outcome, expected, "{step}: {:#?}", report.findings);
    }
    assert_eq!(report.code, 0);
}

/// A line of nginx's configuration, what it becomes, the step that shows it, and words that help.
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    ("auth_request /.vestibule-check;", "", "asked", "deploy/"),
    (
        "auth_request /.vestibule-check;",
        "return 404 '{\"error\": \"an application’s own\"}';",
        "asked",
        "answered with 404",
    ),
    (
        "/api/authz/auth-request;",
        "/api/authz/nowhere;",
        "asked",
        "right address and path",
    ),
    (
        "return 302 $vestibule_location;",
        "return 302 http://nowhere.test/;",
        "asked",
        "nowhere.test",
    ),
    (
        "return 302 $vestibule_location;",
        "return 401;",
        "headers",
        "error_page 401",
    ),
    (
        "proxy_set_header X-Original-URL $scheme://$host:$server_port$request_uri;",
        "",
        "asked",
        "X-Original-URL",
    ),
    (
        "$server_port$request_uri;",
        "$server_port$uri;",
        "headers",
        "before any rewrite",
    ),
    (
        "X-Original-Method $request_method;",
        "X-Original-Method GET;",
        "headers",
        "the client’s own method",
    ),
    (
        "add_header Set-Cookie $vestibule_set_cookie always;",
        "",
        "cookie",
        "add_header Set-Cookie",
    ),
    (
        "Set-Cookie $vestibule_set_cookie",
        "Set-Cookie \"$vestibule_set_cookie; Domain=127.0.0.1\"",
        "cookie",
        "proxy_cookie_domain",
    ),
    (
        "location ^~ /.vestibule/ {",
        "location = /.vestibule/enter { auth_request off; return 404; } location ^~ /.vestibule/ {",
        "enter",
        "Pass /.vestibule/",
    ),
    (
        "if ($vestibule_made_up) {",
        "proxy_set_header Remote-Methods $http_remote_methods; if ($http_upgrade) {",
        "identity",
        "own Remote-Methods.",
    ),
    (
        "proxy_set_header Host $host:$server_port;",
        "proxy_set_header Host nowhere.test;",
        "sign_in",
        "public_url",
    ),
    (
        "proxy_set_header Host $host:$server_port;",
        "proxy_set_header Host $host:$server_port; add_header Referrer-Policy no-referrer always;",
        "sign_in",
        "Take Referrer-Policy out",
    ),
    (
        "return 404;",
        "proxy_pass http://vestibule;",
        "authz",
        "Deny /api/authz/",
    ),
];

#[test]
fn each_mistake_in_nginx_gets_its_cure() {
    let Some(mut house) = house() else {
        return;
    };
    for (line, mistaken, step, help) in MISTAKES {
        house.configure(|right| {
            assert!(right.contains(line), "{line}");
            right.replacen(line, mistaken, 1)
        });
        // A public page is not asked about as it is: there, a query that is lost is not missed.
        let page = if *step == "headers" {
            "/page?x=1"
        } else {
            "/public/"
        };
        let report = Report::of(&house, &house.at(APP, page), &[]);
        let (first, words) = report.first_wrong();
        assert_eq!(first, *step, "{line} -> {mistaken}: {:#?}", report.findings);
        assert!(words.contains(help), "{line}: {words}");
    }
    house.configure(|right| right);
    Report::of(&house, &house.at(APP, "/public/"), &[]).is_all_right();
}

/// A location that is carved out of the guarded server, what is asked beside the page, and what is found.
const CARVED: &[(&str, &[&str], &str)] = &[
    (
        "location = /api/ { auth_request off; return 200 open; }",
        &[],
        "/api/ (200)",
    ),
    (
        "location ~ ^/doctor- { auth_request off; return 404; }",
        &[],
        " (404)",
    ),
    (
        "location /shop { auth_request off; return 302 /shop/login; }",
        &["--path", "/shop/cart"],
        "/shop/cart (302)",
    ),
    // A path of a rule.
    (
        "location /staff { auth_request off; return 200 open; }",
        &[],
        "/staff/ (200)",
    ),
    // To who says to be somebody, and to nobody else.
    (
        "location = /admin/ { auth_request off; error_page 418 = @ask; if ($http_remote_user) { return 200 open; } return 418; }
         location @ask { proxy_pass http://vestibule; }",
        &[],
        "/admin/ (200 with a made-up Remote-User)",
    ),
];

#[test]
fn a_path_that_is_led_past_vestibule_is_found() {
    let Some(mut house) = house() else {
        return;
    };
    let host = format!("{APP}:{}", house.port);
    let staff = "--path /staff/* --who group:staff --allow";
    let rule = [
        &["rule", "add", &host][..],
        &staff.split(' ').collect::<Vec<_>>(),
    ]
    .concat();
    house.machine.cli(&rule).done();
    for (location, options, found) in CARVED {
        house.configure(|right| {
            let before = "location ^~ /.vestibule/ {";
            assert!(right.contains(before));
            let refuses = "if ($vestibule_made_up) {";
            let carved = right.replacen(before, &format!("{location} {before}"), 1);
            carved.replacen(refuses, "if ($request_method = NONE) {", 1)
        });
        let report = Report::of(&house, &house.at(APP, "/page"), options);
        let paths = report.findings.iter().find(|one| one["step"] == "paths");
        let paths = paths.expect("a step");
        assert_eq!(paths["outcome"], "wrong", "{location}: {paths:#?}");
        let words = paths["found"].as_str().expect("a text");
        assert!(words.contains(found), "{location}: {words}");
        assert_eq!(words.matches(" (").count(), 1, "and nothing else: {words}");
    }
}

#[test]
fn a_proxy_that_is_not_trusted_is_named() {
    let Some(mut house) = house_with(Plan {
        trusted_proxies: r#"["192.0.2.1"]"#,
        ..PLAN
    }) else {
        return;
    };
    // nginx alone drops what Vestibule says of it, but not at /.vestibule/.
    for says_why in ["error_page 403 @vestibule_forbidden;", ""] {
        house.configure(|right| right.replace("error_page 403 @vestibule_forbidden;", says_why));
        assert_names_the_proxy(&house);
    }
}

fn assert_names_the_proxy(house: &House) {
    let report = Report::of(house, &house.at(APP, "/"), &[]);
    let (step, words) = report.first_wrong();
    assert_eq!(step, "peer", "{:#?}", report.findings);
    assert!(
        words.contains(r#"trusted_proxies = [\"127.0.0.1\"]"#),
        "{words}"
    );
}

#[test]
fn a_proxy_that_is_not_there_is_told_and_the_rest_is_left() {
    let Some(mut house) = house() else {
        return;
    };
    house.stop_nginx();
    let report = Report::of(&house, &house.at(APP, "/"), &[]);
    let (step, words) = report.first_wrong();
    assert_eq!(step, "proxy");
    assert!(words.contains("Look that the proxy runs"), "{words}");
    assert!(report.outcomes().iter().all(|(step, _)| *step != "asked"));
}

#[test]
fn a_certificate_of_an_own_ca_is_believed_if_the_ca_is_given() {
    let Some(house) = house_with(Plan { tls: true, ..PLAN }) else {
        return;
    };
    let url = house.at(APP, "/public/");
    let refused = Report::of(&house, &url, &[]);
    let (step, words) = refused.first_wrong();
    assert_eq!(step, "proxy");
    assert!(words.contains("--ca FILE"), "{words}");
    let ca = house.certificate.ca();
    let ca = ca.to_str().expect("a path in UTF-8");
    Report::of(&house, &url, &["--ca", ca]).is_all_right();
    Report::of(&house, &url, &["--insecure"]).is_all_right();
    let doctor = ["doctor", &url, "--ca", "nowhere.pem"];
    assert!(house.machine.cli(&doctor).failed().contains("nowhere.pem"));
}

#[test]
fn a_certificate_that_is_its_own_ca_is_told_how_to_be_made() {
    let Some(mut house) = house_with(Plan { tls: true, ..PLAN }) else {
        return;
    };
    house.certificate.sign_itself(&[APP]);
    house.configure(|right| right);
    let ca = house.certificate.ca();
    let ca = ca.to_str().expect("a path in UTF-8");
    let report = Report::of(&house, &house.at(APP, "/public/"), &["--ca", ca]);
    let (step, words) = report.first_wrong();
    assert_eq!(step, "proxy");
    assert!(
        words.contains("CA:FALSE") && words.contains("--insecure"),
        "{words}"
    );
}

#[test]
fn a_ca_that_the_system_trusts_is_trusted_by_command_and_page() {
    let Some(house) = house_with(Plan {
        tls: true,
        system_ca: true,
        ..PLAN
    }) else {
        return;
    };
    let url = house.at(APP, "/public/");
    Report::of(&house, &url, &[]).is_all_right();
    house.machine.add_user("root", &["--admin"]);
    let mut admin = browser(&house, "https", "root");
    let page = admin.post("/admin/doctor", &[("url", &url)]).body;
    assert!(page.contains("Nothing wrong was seen"), "{page}");
}

/// Signed in at the sign-in host.
fn browser(house: &House, scheme: &'static str, name: &str) -> Browser {
    let mut browser = house.machine.anonymous();
    browser.scheme = scheme;
    browser.host = format!("{SIGN_IN}:{}", house.port);
    assert_eq!(browser.sign_in(name, PASSWORD).status, 303);
    browser
}

#[test]
fn a_person_reads_marks_and_cures() {
    let Some(mut house) = house() else {
        return;
    };
    let url = house.at(APP, "/public/");
    let ran = house.machine.cli(&["doctor", &url]).done();
    assert_eq!(ran.out.matches('✓').count(), 13, "{}", ran.out);
    house.configure(|right| right.replacen("auth_request /.vestibule-check;", "", 1));
    let ran = house.machine.cli(&["doctor", &url]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out
            .contains("✗ The proxy asks Vestibule about each request"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("→ Let the proxy ask Vestibule"),
        "{}",
        ran.out
    );
}

#[test]
fn no_host_but_a_configured_site_is_asked() {
    let Some(house) = house() else {
        return;
    };
    let elsewhere = format!("http://{APP}:{}/", house.echo.port);
    for (url, help) in [
        (elsewhere.as_str(), "vestibule site add 127.0.0.1:"),
        ("https://app.example.com/", "begins with https:"),
        ("app.example.com", "no address of a page"),
        ("file:///etc/passwd", "no address of a page"),
    ] {
        let report = Report::of(&house, url, &[]);
        assert_eq!(report.findings.len(), 1, "{url}: {:#?}", report.findings);
        let (step, words) = report.first_wrong();
        assert_eq!(step, "site", "{url}");
        assert!(words.contains(help), "{url}: {words}");
    }
    assert_eq!(house.echo.heads(), "");
}

#[test]
fn an_application_finds_the_issuer_its_time_and_its_keys() {
    let Some(mut house) = house() else {
        return;
    };
    let here = house.here("/");
    let outcomes = |report: &Report| {
        let outcomes = report.outcomes();
        outcomes
            .iter()
            .map(|(step, outcome)| format!("{step} {outcome}"))
            .collect::<Vec<_>>()
    };
    let all = |of_keys: &str| {
        [
            "discovery right",
            "issuer right",
            "date right",
            of_keys,
            "told right",
            "clock right",
        ]
        .map(str::to_owned)
    };
    let report = Report::of(&house, &here, &[]);
    assert_eq!(
        outcomes(&report),
        all("keys unseen"),
        "{:#?}",
        report.findings
    );
    let add = [
        "client",
        "add",
        "Wiki",
        "--redirect-uri",
        "https://wiki.example.com/cb",
    ];
    house.machine.cli(&add).done();
    let report = Report::of(&house, &here, &[]);
    assert_eq!(
        outcomes(&report),
        all("keys right"),
        "{:#?}",
        report.findings
    );
    for (carved, step, help) in [
        (
            "location ^~ /.well-known/ { return 404; }",
            "discovery",
            "Pass the host of public_url",
        ),
        (
            "location ^~ /.well-known/ { return 302 /login; }",
            "discovery",
            "do not follow",
        ),
        (
            "location ^~ /.well-known/ { return 200 '{\"issuer\": \"http://127.0.0.1\"}'; }",
            "issuer",
            "letter by letter",
        ),
        (
            "location = /oauth/keys { return 200 '{\"keys\": []}'; }",
            "keys",
            "let no cache keep",
        ),
        (
            "location = /oauth/keys { return 502; }",
            "keys",
            "answers with 502",
        ),
    ] {
        house.configure(|right| in_sign_in_host(&right, carved));
        let report = Report::of(&house, &here, &[]);
        let (first, words) = report.first_wrong();
        assert_eq!(first, step, "{carved}: {:#?}", report.findings);
        assert!(words.contains(help), "{carved}: {words}");
    }
    house.machine.add_user("root", &["--admin"]);
    house.configure(|right| right);
    let mut admin = browser(&house, "http", "root");
    let page = admin.post("/admin/doctor", &[("url", &here)]).body;
    assert!(page.contains("Nothing wrong was seen"), "{page}");
}

/// nginx's configuration with a location more, before the others of the sign-in host.
fn in_sign_in_host(configuration: &str, location: &str) -> String {
    let name = format!("server_name {SIGN_IN};");
    assert!(configuration.contains(&name), "{configuration}");
    configuration.replacen(&name, &format!("{name} {location}"), 1)
}

#[test]
fn the_admin_page_looks_too_at_sites_alone_and_for_admins_alone() {
    let Some(house) = house() else {
        return;
    };
    house.machine.add_user("root", &["--admin"]);
    house.machine.add_user("alice", &[]);
    let (mut admin, mut user) = (
        browser(&house, "http", "root"),
        browser(&house, "http", "alice"),
    );
    let url = house.at(APP, "/public/");
    assert_eq!(user.get("/admin/doctor").status, 403);
    assert_eq!(user.post("/admin/doctor", &[("url", &url)]).status, 403);
    assert_eq!(house.echo.heads(), "");
    let form = admin.get("/admin/doctor");
    assert!(
        form.body.contains("action=\"/admin/doctor\""),
        "{}",
        form.body
    );
    let elsewhere = format!("http://{APP}:{}/", house.echo.port);
    let refused = admin.post("/admin/doctor", &[("url", &elsewhere)]);
    assert!(
        refused.body.contains("1 of 1 to be mended"),
        "{}",
        refused.body
    );
    assert_eq!(house.echo.heads(), "");
    let report = admin.post("/admin/doctor", &[("url", &url)]);
    assert!(
        report.body.contains("Nothing wrong was seen"),
        "{}",
        report.body
    );
    assert!(house.echo.heads().contains("GET /public/"));
}

#[test]
fn who_lacks_a_second_factor_is_counted_and_a_passkey_of_another_host_is_wrong() {
    let Some(house) = house() else {
        return;
    };
    house.machine.add_user("alice", &[]);
    let url = house.at(APP, "/public/");
    let found = |report: &Report| {
        let finding = report.findings.iter().find(|one| one["step"] == "factors");
        finding.expect("the step")["found"].to_string()
    };
    let report = Report::of(&house, &url, &[]);
    assert!(found(&report).contains("One factor"), "{}", found(&report));
    let host = format!("{APP}:{}", house.port);
    let set = ["site", "set", &host, "--factor", "two"];
    house.machine.cli(&set).done();
    let report = Report::of(&house, &url, &[]);
    assert!(found(&report).contains("asked: 1."), "{}", found(&report));
    house.machine.execute(
        "INSERT INTO passkeys (id, user_id, credential_id, public_key, algorithm, counter, aaguid, transports, rp_id, name,
                               backup_eligible, backed_up, created_at)
         SELECT randomblob(16), id, randomblob(16), x'00', -7, 0, zeroblob(16), '', 'auth.example.net', 'A phone', 0, 0, 1 FROM users",
    );
    let report = Report::of(&house, &url, &[]);
    let (step, words) = report.first_wrong();
    assert_eq!(step, "factors");
    assert!(words.contains("another host"), "{words}");
}
