//! Applications by the command line.

use super::Machine;

#[test]
fn a_template_fills_in_a_client_and_prints_settings_with_its_secret() {
    let machine = Machine::new();
    let add = [
        "client",
        "add",
        "Wiki",
        "--template",
        "nextcloud",
        "--url",
        "https://cloud.example.com/",
        "--json",
    ];
    let told = machine.cli(&add).json();
    let settings = told["settings"].as_str().expect("settings");
    for key in ["client_id", "client_secret"] {
        let value = told[key].as_str().expect("a text");
        assert!(settings.contains(value), "{key}: {settings}");
    }
    let shown = machine.cli(&["client", "show", "Wiki", "--json"]).json();
    let back_channel = "https://cloud.example.com/apps/user_oidc/backchannel-logout/vestibule";
    assert_eq!(shown["back_channel_uri"], back_channel);
    assert_eq!(shown["auth"], "post");
    // What is asked for beside it goes before.
    let own = "https://metrics.example.com/login/generic_oauth";
    let add = [
        "client",
        "add",
        "Metrics",
        "--template",
        "grafana",
        "--redirect-uri",
        own,
    ];
    let ran = machine.cli(&add).done();
    assert!(
        !ran.err.contains(ran.out.trim()),
        "a log may keep it: {}",
        ran.err
    );
    assert!(
        ran.err
            .contains("post_logout_redirect_uri=https://metrics.example.com/login"),
        "{}",
        ran.err
    );
}

#[test]
fn a_template_that_is_not_known_or_has_no_place_adds_nothing() {
    let machine = Machine::new();
    let unknown = [
        "client",
        "add",
        "Wiki",
        "--template",
        "wiki",
        "--url",
        "https://w.example.com",
    ];
    assert!(
        machine
            .cli(&unknown)
            .misused()
            .contains("possible values: audiobookshelf")
    );
    let nowhere = ["client", "add", "Wiki", "--template", "gitea"];
    assert!(machine.cli(&nowhere).failed().contains("--url"));
    let bad = [
        "client",
        "add",
        "Wiki",
        "--template",
        "gitea",
        "--url",
        "wiki.example.com",
    ];
    assert!(
        machine
            .cli(&bad)
            .misused()
            .contains("https://app.example.com")
    );
    assert_eq!(
        machine
            .cli(&["client", "list", "--json"])
            .json()
            .to_string(),
        "[]"
    );
}

#[test]
fn what_is_given_beside_a_template_does_not_replace_its_addresses() {
    let machine = Machine::new();
    let place = "https://git.example.com";
    let own = "https://git.example.com/other";
    let add = [
        "client",
        "add",
        "Git",
        "--template",
        "gitea",
        "--redirect-uri",
        own,
    ];
    let added = machine.cli(&add).done();
    assert!(added.err.contains("--name=vestibule"), "{}", added.err);
    assert!(
        added.err.contains("sends no challenge"),
        "the note: {}",
        added.err
    );
    let shown = machine.cli(&["client", "show", "Git", "--json"]).json();
    let uris = shown["redirect_uris"].to_string();
    assert!(
        uris.contains("/user/oauth2/vestibule/callback") && uris.contains(own),
        "{uris}"
    );
    let again = [
        "client",
        "set",
        "Git",
        "--template",
        "gitea",
        "--url",
        place,
    ];
    let told = machine.cli(&again).done().err;
    assert!(told.contains("--secret='THE_SECRET'"), "{told}");
}

#[test]
fn a_client_is_disabled_and_enabled() {
    let machine = Machine::new();
    let uri = "https://app.example.com/cb";
    machine
        .cli(&["client", "add", "Wiki", "--redirect-uri", uri])
        .done();
    for (flag, is_disabled) in [("--disabled", true), ("--disabled=false", false)] {
        machine.cli(&["client", "set", "Wiki", flag]).done();
        let shown = machine.cli(&["client", "show", "Wiki", "--json"]).json();
        assert_eq!(shown["disabled"], is_disabled);
    }
}

#[test]
fn client_set_takes_each_flag_back() {
    let machine = Machine::new();
    let uri = "https://app.example.com/cb";
    machine
        .cli(&["client", "add", "Wiki", "--redirect-uri", uri])
        .done();
    let show = || machine.cli(&["client", "show", "Wiki", "--json"]).json();
    let before = show();
    let away = [
        "client",
        "set",
        "Wiki",
        "--offline-access",
        "--no-pkce",
        "--group",
        "staff",
        "--claim",
        "roles=[\"admin\"]@staff",
        "--claim",
        "quota=5",
        "--post-logout-uri",
        uri,
        "--back-channel-uri",
        uri,
        "--launch-url",
        uri,
        "--auth",
        "post",
        "--alg",
        "ES256",
        "--claims-in",
        "userinfo",
        "--consent",
        "once",
        "--factor",
        "two",
    ];
    machine.cli(&away).done();
    let changed = show();
    for key in [
        "offline_access",
        "pkce",
        "groups",
        "claims",
        "post_logout_uris",
        "back_channel_uri",
        "launch_url",
        "auth",
        "alg",
        "claims_in",
        "consent",
        "factor",
    ] {
        assert_ne!(changed[key], before[key], "{key}");
    }
    assert_eq!(changed["claims"][0], "roles=[\"admin\"]@staff");
    for wrong in ["sub=\"root\"", "roles=admin", "email_verified=true"] {
        let set = ["client", "set", "Wiki", "--claim", wrong];
        assert!(machine.cli(&set).misused().contains("claim"), "{wrong}");
    }
    let back = [
        "client",
        "set",
        "Wiki",
        "--offline-access=false",
        "--no-pkce=false",
        "--group",
        "",
        "--claim",
        "",
        "--post-logout-uri",
        "",
        "--back-channel-uri",
        "",
        "--launch-url",
        "",
        "--auth",
        "any",
        "--alg",
        "RS256",
        "--claims-in",
        "both",
        "--consent",
        "never",
        "--factor",
        "one",
    ];
    machine.cli(&back).done();
    assert_eq!(show(), before);
    machine
        .cli(&["client", "set", "Wiki", "--rename", "Notes", "--public"])
        .done();
    let public = machine.cli(&["client", "show", "Notes", "--json"]).json();
    assert_eq!(public["public"], true);
}

#[test]
fn an_icon_is_taken_from_a_file_and_taken_away() {
    let machine = Machine::new();
    let uri = "https://app.example.com/cb";
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0";
    std::fs::write(machine.path("icon.png"), png).expect("a file");
    std::fs::write(machine.path("icon.svg"), "<svg/>").expect("a file");
    let add = ["client", "add", "Wiki", "--redirect-uri", uri, "--icon"];
    let refused = machine.cli(&[&add[..], &["icon.svg"]].concat()).failed();
    assert!(
        refused.contains("icon.svg") && refused.contains("SVG"),
        "{refused}"
    );
    assert_eq!(
        machine
            .cli(&["client", "list", "--json"])
            .json()
            .to_string(),
        "[]"
    );
    machine.cli(&[&add[..], &["icon.png"]].concat()).done();
    machine
        .cli(&[
            "site",
            "add",
            "app.example.com",
            "--name",
            "Notes",
            "--icon",
            "icon.png",
        ])
        .done();
    assert_eq!(
        machine.cli(&["site", "list", "--json"]).json()[0]["name"],
        "Notes"
    );
    machine.cli(&["client", "set", "Wiki", "--icon", ""]).done();
    let missing = machine.cli(&["site", "set", "app.example.com", "--icon", "none.png"]);
    assert!(missing.failed().contains("none.png"));
}

#[test]
fn who_may_enter_an_application_is_explained() {
    let machine = Machine::new();
    machine.cli(&["user", "add", "alice", "--generate"]).done();
    let uri = "https://wiki.example.com/cb";
    let add = [
        "client",
        "add",
        "Wiki",
        "--redirect-uri",
        uri,
        "--group",
        "staff",
    ];
    machine.cli(&add).done();
    let ask = ["explain", "--client", "wiki", "--user", "alice"];
    let told = machine.cli(&ask).done();
    assert!(
        told.out.starts_with("alice to Wiki: deny\nBecause"),
        "{}",
        told.out
    );
    machine
        .cli(&["user", "set", "alice", "--add-group", "staff"])
        .done();
    let told = machine.cli(&[&ask[..], &["--json"]].concat()).json();
    assert_eq!(told["userinfo"]["groups"], serde_json::json!(["staff"]));
    for wrong in [
        &["explain"][..],
        &["explain", "--client", "wiki"],
        &[
            "explain",
            "https://a.example.com/",
            "--client",
            "wiki",
            "--user",
            "alice",
        ],
        &["explain", "https://a.example.com/", "--scope", "openid"],
    ] {
        assert_eq!(machine.cli(wrong).code, 2, "{wrong:?}");
    }
}
