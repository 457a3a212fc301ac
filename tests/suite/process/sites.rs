//! Sites and rules at the command line, and what they mean to the running server.

use super::{Machine, Server};

/// A machine whose server is asked by a proxy on itself.
fn behind_a_proxy() -> Machine {
    Machine::new().set("VESTIBULE_TRUSTED_PROXIES", "[\"127.0.0.1\"]")
}

/// What a proxy is told about a page of a site.
fn asked(machine: &Machine, site: &str, uri: &str) -> u16 {
    let headers = format!(
        "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: {site}\r\nX-Forwarded-Uri: {uri}\r\nX-Forwarded-For: 203.0.113.7\r\n"
    );
    machine
        .anonymous()
        .send("GET", "/api/authz/forward-auth", &headers, "")
        .status
}

fn started(machine: &Machine) -> Server {
    machine.start()
}

#[test]
fn a_site_and_its_rules_hold_from_the_next_request_on() {
    let machine = behind_a_proxy();
    let _server = started(&machine);
    assert_eq!(
        asked(&machine, "app.example.com", "/"),
        403,
        "an unknown host"
    );
    machine
        .cli(&["site", "add", "app.example.com", "--default", "signed-in"])
        .done();
    assert_eq!(asked(&machine, "app.example.com", "/"), 401);
    machine
        .cli(&[
            "rule",
            "add",
            "app.example.com",
            "--path",
            "/public/*",
            "--who",
            "anyone",
            "--allow",
        ])
        .done();
    assert_eq!(asked(&machine, "app.example.com", "/public/x"), 200);
    assert_eq!(asked(&machine, "app.example.com", "/other"), 401);
    let rules = machine.cli(&["rule", "list", "--json"]).done().json();
    let id = rules[0]["id"].as_str().expect("an id").to_owned();
    machine.cli(&["rule", "remove", &id]).done();
    assert_eq!(asked(&machine, "app.example.com", "/public/x"), 401);
    machine.cli(&["site", "remove", "app.example.com"]).done();
    assert_eq!(asked(&machine, "app.example.com", "/"), 403);
}

#[test]
fn rules_are_listed_in_the_order_in_which_they_are_asked() {
    let machine = Machine::new();
    machine.cli(&["site", "add", "app.example.com"]).done();
    for (path, at) in [
        ("/b/*", None),
        ("/c", None),
        ("/a", Some("1")),
        ("/between", Some("2")),
    ] {
        let mut arguments = vec![
            "rule",
            "add",
            "app.example.com",
            "--path",
            path,
            "--who",
            "anyone",
            "--deny",
        ];
        arguments.extend(at.map(|at| ["--at", at]).into_iter().flatten());
        machine.cli(&arguments).done();
    }
    let rules = machine
        .cli(&["rule", "list", "--site", "app.example.com", "--json"])
        .done()
        .json();
    let paths: Vec<&str> = rules
        .as_array()
        .expect("a list")
        .iter()
        .map(|rule| rule["path"].as_str().expect("a path"))
        .collect();
    assert_eq!(paths, ["/a", "/between", "/b/*", "/c"]);
    let table = machine.cli(&["rule", "list"]).done().out;
    assert!(
        table.starts_with("SITE") && table.contains("everywhere"),
        "{table}"
    );
}

#[test]
fn a_site_that_would_mix_cookies_is_refused() {
    let machine = Machine::new();
    for host in ["localhost:9000", "localhost"] {
        let refused = machine.cli(&["site", "add", host]).failed();
        assert!(refused.contains("sign in"), "{refused}");
    }
    machine.cli(&["site", "add", "app.example.com"]).done();
    let refused = machine
        .cli(&["site", "add", "APP.example.com.:8443"])
        .failed();
    assert!(refused.contains("app.example.com already"), "{refused}");
    for host in [
        "",
        "a b",
        "*",
        "*.com",
        "http://app.example.com",
        "app.example.com/x",
    ] {
        machine.cli(&["site", "add", host]).failed();
    }
    assert_eq!(machine.number("SELECT count(*) FROM sites"), 1);
}

#[test]
fn a_rule_takes_methods_of_webdav() {
    let machine = Machine::new();
    machine.cli(&["site", "add", "app.example.com"]).done();
    let rule = [
        "rule",
        "add",
        "app.example.com",
        "--who",
        "anyone",
        "--allow",
    ];
    machine
        .cli(&[&rule[..], &["--method", "VERSION-CONTROL"]].concat())
        .done();
    let explained = |method| {
        let address = "http://app.example.com/";
        let explain = machine.cli(&["explain", address, "--method", method, "--json"]);
        explain.done().json()["decision"].clone()
    };
    assert_eq!(explained("VERSION-CONTROL"), "allow");
    assert_eq!(explained("CHECKOUT"), "sign in");
}

#[test]
fn a_malformed_rule_is_wrong_usage_and_changes_nothing() {
    let machine = Machine::new();
    machine.cli(&["site", "add", "app.example.com"]).done();
    let rule = |more: &[&str]| machine.cli(&[&["rule", "add", "app.example.com"], more].concat());
    for (more, says) in [
        (&["--who", "anyone"][..], "--allow"),
        (
            &["--who", "anyone", "--allow", "--deny"],
            "cannot be used with",
        ),
        (&["--who", "everyone", "--allow"], "anyone, signed-in"),
        (
            &["--who", "anyone", "--allow", "--path", "admin"],
            "/exact or /prefix/*",
        ),
        (
            &["--who", "anyone", "--allow", "--path", "/a/../b"],
            "/exact or /prefix/*",
        ),
        (
            &["--who", "anyone", "--allow", "--method", "get"],
            "in capitals",
        ),
        (
            &["--who", "anyone", "--allow", "--network", "10.0.0.0/33"],
            "10.0.0.0/8",
        ),
        (&["--who", "anyone", "--allow", "--at", "0"], "0"),
    ] {
        let told = rule(more).misused();
        assert!(told.contains(says), "{more:?}: {told}");
    }
    let unknown = machine
        .cli(&[
            "rule",
            "add",
            "nowhere.example.com",
            "--who",
            "anyone",
            "--allow",
        ])
        .failed();
    assert!(unknown.contains("site list"), "{unknown}");
    assert_eq!(machine.number("SELECT count(*) FROM rules"), 0);
}

#[test]
fn explain_names_the_rule_that_decides_and_why_the_earlier_ones_did_not() {
    let machine = Machine::new();
    machine.add_user("alice", &["--group", "family"]);
    machine
        .cli(&["site", "add", "app.example.com", "--default", "deny"])
        .done();
    for arguments in [
        ["--path", "/admin/*", "--who", "group:admins", "--allow"],
        ["--path", "/*", "--who", "group:family", "--allow"],
    ] {
        machine
            .cli(&[&["rule", "add", "app.example.com"][..], &arguments].concat())
            .done();
    }
    let page = machine
        .cli(&[
            "explain",
            "http://app.example.com/admin/x?y",
            "--user",
            "alice",
        ])
        .done()
        .out;
    assert!(page.contains("alice: allow"), "{page}");
    assert!(
        page.contains("allow /admin/* for group:admins: for group:admins only"),
        "{page}"
    );
    assert!(
        page.contains("the rule “allow /* for group:family” settles it"),
        "{page}"
    );
    let nobody = machine
        .cli(&["explain", "http://app.example.com/", "--json"])
        .done()
        .json();
    assert_eq!(nobody["decision"], "sign in");
    let elsewhere = machine
        .cli(&["explain", "http://other.example.com/", "--json"])
        .done()
        .json();
    assert_eq!(
        (&elsewhere["decision"], &elsewhere["site"]),
        (&"deny".into(), &serde_json::Value::Null)
    );
    let odd = machine
        .cli(&["explain", "http://app.example.com/100%", "--json"])
        .done()
        .json();
    let because = odd["because"].as_str().expect("a reason");
    assert_eq!(odd["decision"], "deny");
    assert!(
        because.contains("allow /admin/* for group:admins"),
        "{because}"
    );
    machine.cli(&["explain", "not an address"]).failed();
    machine
        .cli(&["explain", "http://app.example.com/", "--user", "nobody"])
        .failed();
}

#[test]
fn changes_of_sites_and_rules_are_in_the_audit_trail() {
    let machine = Machine::new();
    machine.cli(&["site", "add", "app.example.com"]).done();
    machine
        .cli(&[
            "rule",
            "add",
            "app.example.com",
            "--who",
            "anyone",
            "--allow",
        ])
        .done();
    let records = machine.cli(&["audit", "list", "--json"]).done().json();
    let events: Vec<&str> = records
        .as_array()
        .expect("a list")
        .iter()
        .map(|record| record["event"].as_str().expect("an event"))
        .collect();
    assert_eq!(events, ["rule_change", "site_change"]);
    assert_eq!(records[0]["source"], "cli");
}

#[test]
fn site_set_changes_what_is_given_and_nothing_else() {
    let machine = Machine::new();
    let site = |words: &[&str]| machine.cli(&[&["site"], words].concat());
    let add = [
        "add",
        "app.example.com",
        "--note",
        "the house",
        "--factor",
        "two",
    ];
    site(&add).done();
    let set = ["set", "app.example.com", "--tokens", "on", "--idle", "15m"];
    site(&set).done();
    let listed = site(&["list", "--json"]).done().json()[0].clone();
    for (field, value) in [
        ("default", "signed-in"),
        ("note", "the house"),
        ("factor", "two"),
        ("tokens", "on"),
        ("idle", "15m"),
        ("max_age", "off"),
        ("background", "on"),
    ] {
        assert_eq!(listed[field], value, "{field}");
    }
    site(&["set", "app.example.com", "--idle", "off", "--factor", "one"]).done();
    let table = site(&["list"]).done().out;
    assert!(table.contains("signed-in, app tokens  "), "{table}");
    for wrong in [["--idle", "1s"], ["--factor", "three"], ["--tokens", "yes"]] {
        site(&[&["set", "app.example.com"][..], &wrong].concat()).misused();
    }
    site(&["set", "other.example.com", "--tokens", "on"]).failed();
}

#[test]
fn a_rule_asks_for_two_factors_and_explain_says_so() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    machine.cli(&["site", "add", "app.example.com"]).done();
    let rule = ["rule", "add", "app.example.com", "--who", "signed-in"];
    let two = ["--factor", "two"];
    machine
        .cli(&[&rule[..], &["--deny"], &two].concat())
        .failed();
    machine
        .cli(&[&rule[..], &["--allow"], &two].concat())
        .done();
    let listed = machine.cli(&["rule", "list", "--json"]).done().json();
    assert_eq!(listed[0]["factor"], "two");
    let explained = |factor| {
        let address = "http://app.example.com/";
        let explain = ["explain", address, "--user", "alice", "--factor", factor];
        machine.cli(&explain).done().out
    };
    let one = explained("one");
    assert!(one.contains("for alice: sign in with two factors"), "{one}");
    assert!(one.contains("with two factors: holds"), "{one}");
    assert!(explained("two").contains("for alice: allow"));
}

#[test]
fn a_token_of_the_command_line_stands_alone_on_standard_output() {
    let machine = Machine::new();
    machine.add_user("alice", &[]);
    machine.cli(&["site", "add", "dav.example.com"]).done();
    let add = ["token", "add", "alice", "--name", "calendar"];
    let added = |more: &[&str]| machine.cli(&[&add[..], more].concat());
    let text = added(&["--site", "dav.example.com"]).done().out;
    let token = text.strip_suffix('\n').expect("a line");
    assert!(token.starts_with("vst_") && token.len() == 36, "{text}");
    let made = added(&[
        "--all-sites",
        "--expires",
        "90d",
        "--network",
        "10.0.0.0/8",
        "--json",
    ]);
    let made = made.done().json();
    let list = machine.cli(&["token", "list", "--user", "alice", "--json"]);
    let list = list.done().json();
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    assert_eq!(list[0]["hosts"][0], "dav.example.com");
    assert_eq!(list[1]["id"], made["id"]);
    assert_eq!(list[1]["networks"][0], "10.0.0.0/8");
    assert!(!list.to_string().contains(token));
    let id = made["id"].as_str().expect("an id");
    machine.cli(&["token", "revoke", id]).done();
    let again = machine.cli(&["token", "revoke", id]).failed();
    assert!(again.contains(id), "{again}");
    added(&[]).misused();
    added(&["--all-sites", "--site", "dav.example.com"]).misused();
    added(&["--site", "nowhere.example.com"]).failed();
    added(&["--all-sites", "--network", "10.0.0.0/99"]).failed();
    let nobody = ["token", "add", "bob", "--name", "x", "--all-sites"];
    machine.cli(&nobody).failed();
}
