//! The decision: what a site's rules say of a request. No proxy, no database.

use std::net::IpAddr;

use Decision::{Allow, Forbid, SignIn};
use proptest::prelude::*;
use vestibule::sessions::Methods;
use vestibule::sites::decision::{Asked, Decision, decide, judge};
use vestibule::sites::host::{Host, Pattern};
use vestibule::sites::path::readings;
use vestibule::sites::policy::Policy;
use vestibule::sites::rules::{Fallback, PathPattern, Site, method};
use vestibule::sites::visitor::Visitor;
use vestibule::{Timestamp, User};

use crate::support::proxy::rule;

fn site(fallback: &str, rules: &[&str]) -> Site {
    Site {
        id: uuid::Uuid::now_v7(),
        host: Pattern::parse("app.example.net", "https").expect("a host"),
        terms: fallback.parse::<Fallback>().expect("a default").into(),
        rules: rules.iter().map(|text| rule(text)).collect(),
    }
}

/// Signed in by a password.
fn user(name: &str, groups: &[&str]) -> Visitor {
    let user = User {
        id: uuid::Uuid::now_v7(),
        username: name.to_owned(),
        display_name: String::new(),
        email: None,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        admin: false,
        must_change_password: false,
        email_verified: false,
        has_totp: false,
        has_passkey: false,
        created_at: Timestamp::from_micros(0),
        disabled_at: None,
    };
    Visitor::signed_in(user.into(), Methods::PASSWORD)
}

fn get<'a>(path: &'a str, address: &str) -> Asked<'a> {
    Asked {
        method: "GET",
        path,
        address: address.parse().ok(),
    }
}

/// The decisions for nobody, for alice, and for bob, who is in the group staff.
fn for_each(site: &Site, asked: &Asked<'_>) -> [Decision; 3] {
    let (alice, bob) = (user("alice", &[]), user("bob", &["staff"]));
    [None, Some(&alice), Some(&bob)].map(|user| decide(site, asked, user))
}

#[test]
fn without_a_rule_the_default_holds() {
    for (fallback, expected) in [
        ("deny", [Forbid, Forbid, Forbid]),
        ("signed-in", [SignIn, Allow, Allow]),
        ("public", [Allow, Allow, Allow]),
        ("group:staff", [SignIn, Forbid, Allow]),
    ] {
        let asked = get("/", "203.0.113.7");
        assert_eq!(
            for_each(&site(fallback, &[]), &asked),
            expected,
            "{fallback}"
        );
    }
}

#[test]
fn a_rule_holds_for_whom_it_names() {
    for (who, expected) in [
        ("anyone", [Allow, Allow, Allow]),
        ("signed-in", [SignIn, Allow, Allow]),
        ("user:alice", [SignIn, Allow, Forbid]),
        ("group:staff", [SignIn, Forbid, Allow]),
    ] {
        let site = site("deny", &[&format!("allow /* for {who}")]);
        assert_eq!(for_each(&site, &get("/", "")), expected, "{who}");
    }
    let site = site("public", &["deny /* for user:alice"]);
    assert_eq!(for_each(&site, &get("/", "")), [Allow, Forbid, Allow]);
}

#[test]
fn the_first_match_wins() {
    let open = site("deny", &["allow /a/* for anyone", "deny /a/b for anyone"]);
    assert_eq!(for_each(&open, &get("/a/b", "")), [Allow; 3]);
    let shut = site("public", &["deny /a/b for anyone", "allow /a/* for anyone"]);
    assert_eq!(for_each(&shut, &get("/a/b", "")), [Forbid; 3]);
    assert_eq!(for_each(&shut, &get("/a/c", "")), [Allow; 3]);
}

#[test]
fn an_allow_rule_matched_in_all_but_who_does_not_fall_through() {
    for fallback in ["public", "signed-in", "group:other"] {
        let site = site(fallback, &["allow /admin/* for group:staff"]);
        for path in ["/admin", "/admin/", "/admin/users"] {
            let decisions = for_each(&site, &get(path, ""));
            assert_eq!(decisions, [SignIn, Forbid, Allow], "{fallback} {path}");
        }
    }
    // A later rule that matches fully does decide.
    let later = ["allow /a for group:staff", "allow /a for user:alice"];
    let site = site("public", &later);
    assert_eq!(for_each(&site, &get("/a", "")), [SignIn, Allow, Allow]);
}

#[test]
fn whom_an_earlier_rule_would_let_in_may_sign_in_before_a_denial() {
    let site = site(
        "public",
        &["allow /* for group:staff", "deny /* for anyone"],
    );
    assert_eq!(for_each(&site, &get("/", "")), [SignIn, Forbid, Allow]);
}

#[test]
fn a_prefix_is_of_whole_segments_and_includes_itself() {
    let site = site(
        "deny",
        &["allow /a/* for anyone", "allow /exact for anyone"],
    );
    for (path, expected) in [
        ("/a", Allow),
        ("/a/", Allow),
        ("/a/b/c", Allow),
        ("/ab", Forbid),
        ("/A", Forbid),
        ("/exact", Allow),
        ("/exact/", Forbid),
        ("/exact/x", Forbid),
    ] {
        assert_eq!(decide(&site, &get(path, ""), None), expected, "{path}");
    }
}

#[test]
fn get_includes_head_and_no_other_method() {
    let allowed = site("deny", &["allow /* for anyone by GET"]);
    let denied = site("public", &["deny /* for anyone by GET"]);
    let of_head = site("public", &["deny /* for anyone by HEAD"]);
    for (method, [a, b, c]) in [
        ("GET", [Allow, Forbid, Allow]),
        ("HEAD", [Allow, Forbid, Forbid]),
        ("POST", [Forbid, Allow, Allow]),
        ("OPTIONS", [Forbid, Allow, Allow]),
        ("PROPFIND", [Forbid, Allow, Allow]),
        ("GETX", [Forbid, Allow, Allow]),
    ] {
        let asked = Asked {
            method,
            ..get("/", "")
        };
        let found = [&allowed, &denied, &of_head].map(|site| decide(site, &asked, None));
        assert_eq!(found, [a, b, c], "{method}");
    }
}

#[test]
fn a_rule_can_name_a_method_of_webdav() {
    let site = site("deny", &["allow /* for anyone by VERSION-CONTROL"]);
    for (method, expected) in [
        ("VERSION-CONTROL", Allow),
        ("VERSION", Forbid),
        ("GET", Forbid),
    ] {
        let asked = Asked {
            method,
            ..get("/", "")
        };
        assert_eq!(decide(&site, &asked, None), expected, "{method}");
    }
}

#[test]
fn networks_hold_for_the_addresses_within() {
    let allowed = site(
        "deny",
        &["allow /* for anyone from 10.0.0.0/8 from fd00::/8"],
    );
    let denied = site("public", &["deny /* for anyone from 10.0.0.0/8"]);
    for (address, expected) in [
        ("10.255.255.255", [Allow, Forbid]),
        ("11.0.0.0", [Forbid, Allow]),
        ("fd12::1", [Allow, Allow]),
        ("fe80::1", [Forbid, Allow]),
    ] {
        let asked = get("/", address);
        let found = [&allowed, &denied].map(|site| decide(site, &asked, None));
        assert_eq!(found, expected, "{address}");
    }
}

#[test]
fn bru_07_an_unknown_address_is_in_no_allowed_and_in_every_denied_network() {
    let asked = get("/", "unknown");
    assert_eq!(asked.address, None);
    let allowed = site("deny", &["allow /* for anyone from 0.0.0.0/0 from ::/0"]);
    assert_eq!(decide(&allowed, &asked, None), Forbid);
    let denied = site("public", &["deny /* for anyone from 192.0.2.1/32"]);
    assert_eq!(decide(&denied, &asked, None), Forbid);
}

#[test]
fn fwd_07_a_path_with_several_readings_is_decided_for_the_strictest() {
    let site = site("signed-in", &["allow /public/* for anyone"]);
    for path in [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/%2E./admin",
        "/public/..%2fadmin",
        "/public%2f..%2fadmin",
        "/public/%252e%252e/admin",
        "/public/%25252e%25252e/admin",
        "/public/..%252fadmin",
        "/public/..;/admin",
        "/public/..;x=y/admin",
        "/public/..%3b/admin",
        "/public/x;/../../admin",
        "/public\\..\\admin",
        "/public/..\\admin",
        "/public/..%5cadmin",
        "/public/..%255cadmin",
        "//public/..//admin",
        "/public//../../admin",
        "/public/./../admin",
        "/;x/public/../../admin",
        "/admin%3f/../public/x",
        "/admin%23/../public/x",
    ] {
        assert_eq!(decide(&site, &get(path, ""), None), SignIn, "{path}");
    }
    // And what only looks odd stays open.
    for path in [
        "/public/a%2Fb",
        "/public//x",
        "/public/a;v=1",
        "/public/100%25",
        "/public/...",
    ] {
        assert_eq!(decide(&site, &get(path, ""), None), Allow, "{path}");
    }
}

#[test]
fn fwd_07_an_encoded_slash_neither_opens_nor_escapes() {
    let allowed = site("deny", &["allow /group/project for anyone"]);
    assert_eq!(decide(&allowed, &get("/group%2Fproject", ""), None), Forbid);
    let denied = site("public", &["deny /admin/* for anyone"]);
    for path in [
        "/admin%2Fx",
        "/admin%5Cx",
        "/admin%252fx",
        "/x/..%2fadmin",
        "/admin%3fx",
        "/admin;x",
    ] {
        assert_eq!(decide(&denied, &get(path, ""), None), Forbid, "{path}");
    }
    // GitLab and Matrix name things with it.
    let open = site("deny", &["allow /api/* for anyone"]);
    assert_eq!(
        decide(&open, &get("/api/v4/projects/a%2Fb", ""), None),
        Allow
    );
}

#[test]
fn fwd_07_what_is_no_path_is_denied_even_where_all_is_public() {
    let site = site("public", &["allow /* for anyone"]);
    let deep = format!("/%{}41", "25".repeat(80));
    for path in [
        "",
        "admin",
        "*",
        "%2f",
        "/%00",
        "/a%00b",
        "/%2500",
        "/%0d%0a",
        "/%E9%00",
        "/100%%0a",
        "/%zz%2500",
        "/caf\u{e9}%7f",
        "/\u{85}",
        "/a%257fb",
        "http://app.example.net/",
        &deep,
    ] {
        assert_eq!(decide(&site, &get(path, ""), None), Forbid, "{path}");
    }
}

#[test]
fn fwd_07_a_path_that_is_no_text_is_judged_where_every_rule_is_for_all_paths() {
    let odd = [
        "/%",
        "/%4",
        "/100%",
        "/%zz",
        "/%u002e",
        "/caf%E9.jpg",
        "/%ff",
        "/%c0%ae",
        "/caf\u{e9}.jpg",
    ];
    for (fallback, rules) in [
        ("public", &[][..]),
        ("signed-in", &[]),
        ("public", &["allow /* for anyone"]),
        (
            "group:staff",
            &["deny /* for user:alice", "allow /* for anyone by GET"],
        ),
    ] {
        let site = site(fallback, rules);
        for path in odd {
            let found = for_each(&site, &get(path, ""));
            assert_eq!(found, for_each(&site, &get("/", "")), "{path} {rules:?}");
        }
    }
    for rules in [
        &["deny /x for anyone"][..],
        &["allow /x/* for anyone"],
        &["allow /* for anyone", "allow /x for anyone by POST"],
    ] {
        let site = site("public", rules);
        for path in odd {
            assert_eq!(
                for_each(&site, &get(path, "")),
                [Forbid; 3],
                "{path} {rules:?}"
            );
        }
    }
}

#[test]
fn fwd_08_a_host_has_one_form_whatever_its_spelling() {
    let host = |text| Host::parse(text, "https");
    let canonical = host("app.example.net").expect("a host");
    for text in [
        "APP.Example.net",
        "app.example.net.",
        "app.example.net:443",
        "App.example.NET.:443",
        "app.example.net:0443",
    ] {
        assert_eq!(host(text).as_ref(), Some(&canonical), "{text}");
    }
    assert_eq!(host("bücher.example"), host("xn--bcher-kva.example"));
    assert_eq!(host("BÜCHER.example"), host("xn--bcher-kva.example"));
    for text in [
        "app.example.net:80",
        "app.example.net:8443",
        "xapp.example.net",
        "аpp.example.net",
    ] {
        assert_ne!(host(text), Some(canonical.clone()), "{text}");
    }
    for text in [
        "",
        ".",
        "..",
        "app.example.net..",
        "app.example.net:",
        "app.example.net:x",
        "app.example.net:-1",
        "app.example.net:99999",
        "app.example.net/",
        "a@app.example.net",
        "app.example.net#",
        "app.example.net?",
        "app.example.net\\",
        "app example.net",
        " app.example.net",
        "app.example.net, evil.example",
        "app%2eexample.net",
        "app.example.net\0",
        "[::1",
        "::1",
    ] {
        assert_eq!(host(text), None, "{text:?}");
    }
}

#[test]
fn fwd_08_a_wildcard_is_of_one_level_and_an_exact_host_stands_before_it() {
    let mut policy = Policy::default();
    for host in ["*.example.net", "app.example.net", "*.deep.example.net"] {
        policy.sites.push(Site {
            host: Pattern::parse(host, "https").expect("a pattern"),
            ..site("deny", &[])
        });
    }
    for sites in [
        policy.sites.clone(),
        policy.sites.iter().rev().cloned().collect(),
    ] {
        policy.sites = sites;
        for (host, expected) in [
            ("app.example.net", "app.example.net"),
            ("other.example.net", "*.example.net"),
            ("a.deep.example.net", "*.deep.example.net"),
            ("deep.example.net", "*.example.net"),
            ("example.net", ""),
            ("a.b.example.net", ""),
            ("other.example.net:8443", ""),
            ("otherexample.net", ""),
            ("other.example.net.evil.example", ""),
        ] {
            let found = policy.site(&Host::parse(host, "https").expect("a host"));
            let found = found.map(|site| site.host.to_string()).unwrap_or_default();
            assert_eq!(found, expected, "{host}");
        }
    }
    for pattern in [
        "*",
        "*.",
        "*.net",
        "*.*.example.net",
        "a.*.net",
        "*example.net",
        "**.example.net",
    ] {
        assert_eq!(Pattern::parse(pattern, "https"), None, "{pattern}");
    }
}

#[test]
fn a_method_is_a_token_without_small_letters() {
    for text in [
        "GET",
        "PROPFIND",
        "M",
        "VERSION-CONTROL",
        "BASELINE-CONTROL",
        "M-SEARCH",
        "G3T",
    ] {
        assert_eq!(method(text).as_deref(), Ok(text));
    }
    for text in [
        "",
        "get",
        "GET ",
        "GET,POST",
        "G(T",
        "G\"T",
        "Post",
        "GET\u{e9}",
        "GET\0",
        "ABCDEFGHIJKLMNOPQRSTU",
    ] {
        assert!(method(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_path_rule_is_written_in_one_way() {
    for text in [
        "", "a", "a/*", "/a*", "/a/*/b", "*", "/a//b", "//*", "/../a", "/a/./b", "/a%2fb", "/a;b",
        "/a?b", "/a#b", "/a\\b", "/a\0",
    ] {
        assert!(text.parse::<PathPattern>().is_err(), "{text:?}");
    }
}

/// A path that a reader of canonical paths understands in one way.
fn plain_path() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]{1,2}", 1..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn some_rule() -> impl Strategy<Value = String> {
    let path = (plain_path(), any::<bool>())
        .prop_map(|(path, prefix)| if prefix { format!("{path}/*") } else { path });
    let path = prop_oneof![Just("/*".to_owned()), path];
    let who = prop::sample::select(vec![
        "anyone",
        "signed-in",
        "user:alice",
        "user:bob",
        "group:staff",
    ]);
    let more = prop::sample::select(vec![
        "",
        " by GET",
        " by POST",
        " from 10.0.0.0/8",
        " from 192.0.2.0/24 by GET",
    ]);
    (prop::sample::select(vec!["allow", "deny"]), path, who, more)
        .prop_map(|(effect, path, who, more)| format!("{effect} {path} for {who}{more}"))
}

fn some_site() -> impl Strategy<Value = Site> {
    let fallback = prop::sample::select(vec!["deny", "signed-in", "public", "group:staff"]);
    (fallback, prop::collection::vec(some_rule(), 0..6)).prop_map(|(fallback, rules)| {
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        site(fallback, &rules)
    })
}

fn some_user() -> impl Strategy<Value = Option<Visitor>> {
    prop::sample::select(vec![
        None,
        Some(user("alice", &[])),
        Some(user("bob", &["staff"])),
    ])
}

/// A detour that leads nowhere, as it may stand before each segment.
fn detour() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "",
        "",
        "/",
        "/.",
        "/x/..",
        "/x/%2e%2e",
        "/b/..;p",
        "/;p",
        "/%2e",
        "/a/%2E%2e",
        "\\.",
        "/b\\..",
        "/x/.%252e",
        "/%E9/..",
        "/100%/..",
        "/\u{e9}/%2e%2e",
        "/%c0%ae%c0%ae/..",
    ])
}

/// Another spelling of a path: detours, parameters, escapes (once or twice), slashes of each kind.
fn respelled(path: String) -> impl Strategy<Value = String> {
    let segments = path.matches('/').count();
    let letters = path.len();
    let slash = prop::sample::select(vec!["/", "/", "%2f", "%2F", "%252f", "\\", "%5c"]);
    let parameter = prop::sample::select(vec!["", "", ";x=1", "%3b"]);
    (
        prop::collection::vec((detour(), slash, parameter), segments),
        prop::collection::vec(0..4u8, letters),
    )
        .prop_map(move |(ways, escapes)| {
            let mut escapes = escapes.into_iter();
            let mut spelled = String::new();
            for (at, (segment, (detour, slash, parameter))) in
                path[1..].split('/').zip(ways).enumerate()
            {
                spelled += detour;
                // The first slash is what makes it a path.
                spelled += if at == 0 { "/" } else { slash };
                for letter in segment.bytes() {
                    match escapes.next() {
                        Some(0) => spelled += &format!("%{letter:02x}"),
                        Some(1) => spelled += &format!("%25{letter:02X}"),
                        _ => spelled.push(char::from(letter)),
                    }
                }
                spelled += parameter;
            }
            spelled
        })
        .prop_filter("a path begins with a slash", |spelled| {
            spelled.starts_with('/')
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the rules and their order: the spelling is never treated better than the path that
    /// some backend takes it for.
    #[test]
    fn fwd_07_no_spelling_of_a_path_turns_a_denial_into_an_allowance(
        site in some_site(),
        user in some_user(),
        (path, spelled) in plain_path().prop_flat_map(|path| (Just(path.clone()), respelled(path))),
        method in prop::sample::select(vec!["GET", "HEAD", "POST"]),
        address in prop::sample::select(vec!["10.1.2.3", "192.0.2.1", "unknown"]),
    ) {
        let plain = decide(&site, &Asked { method, ..get(&path, address) }, user.as_ref());
        let found = decide(&site, &Asked { method, ..get(&spelled, address) }, user.as_ref());
        prop_assert!(found >= plain, "{spelled} for {path}: {found:?} and {plain:?}");
    }

    /// Nor better than any single reading of it, in any order of the rules.
    #[test]
    fn the_strictest_reading_decides(site in some_site(), user in some_user(), path in "/[ab./;%2efE95c0\u{e9}\\\\]{0,12}") {
        let asked = get(&path, "10.1.2.3");
        let found = decide(&site, &asked, user.as_ref());
        match readings(&path) {
            Ok(readings) => for reading in readings {
                let one = judge(&site, &asked, &reading, user.as_ref()).0;
                prop_assert!(found >= one, "{path} as {reading}: {found:?} and {one:?}");
            },
            Err(_) if found == Forbid => {}
            // No rule tells one path from another.
            Err(_) => {
                let every = "/*".parse().expect("a path");
                prop_assert!(site.rules.iter().all(|rule| rule.path == every), "{path}");
                prop_assert_eq!(found, decide(&site, &get("/a/b", "10.1.2.3"), user.as_ref()));
            }
        }
    }

    /// What nobody may see is open to no one by a rule that comes later.
    #[test]
    fn a_denial_for_all_in_front_holds_against_all_rules_behind(site in some_site(), user in some_user(), path in plain_path()) {
        let mut shut = site;
        shut.rules.insert(0, rule("deny /* for anyone"));
        prop_assert_eq!(decide(&shut, &get(&path, "10.1.2.3"), user.as_ref()), Forbid);
    }

    /// An address that cannot be read is treated no better than one that no rule knows.
    #[test]
    fn bru_07_an_unreadable_address_never_widens_rights(site in some_site(), user in some_user(), path in plain_path()) {
        let unknown = decide(&site, &get(&path, "unknown"), user.as_ref());
        let stranger = decide(&site, &get(&path, "203.0.113.7"), user.as_ref());
        prop_assert!(unknown >= stranger, "{unknown:?} and {stranger:?}");
    }

    /// HEAD is never open where GET is shut.
    #[test]
    fn head_is_treated_as_get(site in some_site(), user in some_user(), path in plain_path()) {
        let [a, b] = ["GET", "HEAD"].map(|method| {
            decide(&site, &Asked { method, ..get(&path, "10.1.2.3") }, user.as_ref())
        });
        prop_assert_eq!(a, b);
    }

    /// Something is decided whatever comes, and who is signed in is never asked to sign in.
    #[test]
    fn no_input_breaks_the_decision(
        site in some_site(),
        user in some_user(),
        path in any::<String>(),
        tail in "[/%a-f0-9;.\\\\]{0,40}",
        method in any::<String>(),
        address in any::<Option<IpAddr>>(),
    ) {
        for path in [path.clone(), format!("/{path}"), format!("/{tail}"), tail] {
            let asked = Asked { method: &method, path: &path, address };
            let found = decide(&site, &asked, user.as_ref());
            prop_assert!(path.starts_with('/') || found == Forbid);
            prop_assert!(user.is_none() || found != SignIn);
        }
    }

    #[test]
    fn no_input_breaks_the_host_parser(text in any::<String>(), odd in "[a-z0-9.:\\[\\]*-]{0,30}") {
        for text in [text, odd] {
            for scheme in ["https", "http"] {
                if let Some(host) = Host::parse(&text, scheme) {
                    // One form: reading it again gives the same.
                    prop_assert_eq!(Host::parse(&host.to_string(), scheme), Some(host));
                }
                if let Some(pattern) = Pattern::parse(&text, scheme) {
                    prop_assert_eq!(Pattern::parse(&pattern.to_string(), scheme), Some(pattern));
                }
            }
        }
    }
}
