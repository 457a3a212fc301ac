//! `vestibule import authelia-clients`.

use serde_json::json;

use super::Machine;
use super::import::{PBKDF2, import};
use crate::support::PASSWORD;

const CLIENTS: &str = r"
theme: dark
identity_providers:
  oidc:
    hmac_secret: unused
    authorization_policies:
      staff:
        default_policy: deny
        rules:
          - policy: one_factor
            subject: 'group:staff'
          - policy: one_factor
            subject: ['group:ops', ['group:admins']]
    clients:
      - client_id: wiki
        client_name: Wiki
        client_secret: 'PBKDF2'
        redirect_uris: ['https://wiki.example.com/cb']
        scopes: [openid, profile, groups, offline_access, phone]
        authorization_policy: one_factor
        consent_mode: implicit
        require_pkce: true
        token_endpoint_auth_method: client_secret_post
        userinfo_signed_response_alg: none
        lifespan: long
      - client_id: photos-app
        public: true
        redirect_uris:
          - 'app.immich:///oauth-callback'
        pre_configured_consent_duration: 1w
        id_token_signed_response_alg: ES256
      - client_id: team
        client_secret: 'PBKDF2'
        redirect_uris: ['https://team.example.com/cb']
        authorization_policy: staff
      - client_id: old
        client_secret: '$plaintext$a plain secret'
        redirect_uris: ['https://old.example.com/cb']
        authorization_policy: deny
";

#[test]
fn applications_of_authelia_keep_their_ids_and_secrets() {
    let machine = Machine::new();
    let text = CLIENTS.replace("PBKDF2", PBKDF2);
    let count = || machine.number("SELECT count(*) FROM clients");
    let dry = import(&machine, "authelia-clients", &text, &["--dry-run"]).done();
    assert!(
        dry.out.contains("4 applications would be added"),
        "{}",
        dry.out
    );
    assert_eq!(count(), 0);
    let ran = import(&machine, "authelia-clients", &text, &[]).done();
    assert!(ran.out.contains("Added 4 applications."), "{}", ran.out);
    for told in [
        "users:15: wiki: scope phone is not taken",
        "users:15: wiki: lifespan is not taken",
    ] {
        assert!(ran.err.contains(told), "{told}: {}", ran.err);
    }
    let show = |name: &str| machine.cli(&["client", "show", name, "--json"]).json();
    let wiki = show("wiki");
    for (field, value) in [
        ("client_id", json!("wiki")),
        ("name", json!("Wiki")),
        ("auth", json!("post")),
        ("consent", json!("never")),
        ("offline_access", json!(true)),
        ("pkce", json!(true)),
    ] {
        assert_eq!(wiki[field], value, "{field}: {wiki}");
    }
    let team = show("team");
    assert_eq!(
        (&team["groups"], &team["factor"]),
        (&json!(["admins", "ops", "staff"]), &json!("one"))
    );
    let photos = show("photos-app");
    assert_eq!(
        (&photos["consent"], &photos["alg"]),
        (&json!("once"), &json!("ES256"))
    );
    let mut server = machine.start();
    let ask = |id: &str, secret: &str| {
        let fields = [("client_id", id), ("client_secret", secret), ("token", "x")];
        machine
            .anonymous()
            .post("/oauth/introspect", &fields)
            .status
    };
    assert_eq!(ask("wiki", "wrong"), 401);
    assert_eq!(ask("wiki", PASSWORD), 200);
    assert_eq!(ask("old", "a plain secret"), 401, "it is disabled");
    server.stop();
    let unused = machine.number("SELECT count(*) FROM imported_secrets");
    assert_eq!(unused, 1, "the team has not come yet");
    let again = import(&machine, "authelia-clients", &text, &[]);
    assert_eq!(again.err.matches("already").count(), 4, "{}", again.err);
}

#[test]
fn what_cannot_be_taken_of_an_application_is_told_by_its_line_and_none_is_added() {
    let machine = Machine::new();
    let client = |lines: &str| {
        format!(
            "identity_providers:\n  oidc:\n    clients:\n      - client_id: good\n        client_secret: '{PBKDF2}'\n        redirect_uris: ['https://a.example.com/cb']\n      - client_id: bad\n        client_secret: '{PBKDF2}'\n        redirect_uris: ['https://b.example.com/cb']\n        {lines}\n"
        )
    };
    for (lines, told) in [
        ("authorization_policy: staff_only", "client set --group"),
        ("consent_mode: maybe", "consent_mode maybe"),
        (
            "token_endpoint_auth_method: private_key_jwt",
            "private_key_jwt",
        ),
        ("id_token_signed_response_alg: PS512", "RS256 and ES256 are"),
        (
            "userinfo_signed_response_alg: RS256",
            "userinfo_signed_response_alg",
        ),
        (
            "grant_types: [client_credentials]",
            "grant_types has no authorization_code",
        ),
        (
            "response_types: ['code id_token']",
            "response_types has no code",
        ),
        ("public: true", "a public client has no client_secret"),
        (
            "client_name: GOOD",
            "the client on line 4 has this client_id or name, too",
        ),
    ] {
        let ran = import(&machine, "authelia-clients", &client(lines), &[]);
        let told_all = ran.failed();
        assert!(told_all.contains("users:7: "), "{lines}: {told_all}");
        assert!(told_all.contains(told), "{lines}: {told_all}");
        assert!(
            told_all.contains("nothing was imported"),
            "{lines}: {told_all}"
        );
        assert!(!told_all.contains("$pbkdf2"), "{lines}: {told_all}");
    }
    for (from, to, told) in [
        (
            PBKDF2,
            "$1$abc$def",
            "users:7: bad: its client_secret is no hash that can be verified here",
        ),
        (
            PBKDF2,
            "my plain secret",
            "users:7: bad: client_secret is no digest; write $plaintext$ before",
        ),
        (
            PBKDF2,
            "{{ secret \"/run/wiki\" }}",
            "users:7: bad: client_secret has a template in it",
        ),
        (
            "https://b.example.com/cb",
            "http://b.example.com/cb",
            "use https",
        ),
        (
            "['https://b.example.com/cb']",
            "{a: b}",
            "users:7: bad: redirect_uris is a list",
        ),
        ("client_id: bad", "client_id: b/a/d", "letters, digits"),
        ("client_id: bad", "client_id: 12", "client_id is a text"),
        (
            "client_id: bad",
            "client_name: Bad",
            "users:7: Bad: there is no client_id",
        ),
        (
            "client_id: bad",
            "audience: []",
            "users:7: there is no client_id",
        ),
    ] {
        let text = client("").replace(from, to);
        let told_all = import(&machine, "authelia-clients", &text, &[]).failed();
        assert!(told_all.contains(told), "{to}: {told_all}");
        assert!(!told_all.contains("my plain"), "{to}: {told_all}");
    }
    assert_eq!(machine.number("SELECT count(*) FROM clients"), 0);
}

#[test]
fn all_that_is_wrong_with_applications_is_told_at_once_in_the_order_of_the_file() {
    let machine = Machine::new();
    let first = format!(
        "identity_providers:\n  oidc:\n    clients:\n      - client_id: wiki\n        client_secret: '{PBKDF2}'\n        redirect_uris: 'https://a.example.com/cb,https://b.example.com/cb'\n"
    );
    let ran = import(&machine, "authelia-clients", &first, &[]).done();
    assert!(ran.out.contains("Added 1 application."), "{}", ran.out);
    let wiki = machine.cli(&["client", "show", "wiki", "--json"]).json();
    let both = json!(["https://a.example.com/cb", "https://b.example.com/cb"]);
    assert_eq!(wiki["redirect_uris"], both, "as Authelia reads it");
    let more = format!(
        "{first}        public: maybe\n      - client_id: two\n        client_secret: '$1$abc$def'\n        redirect_uris: ['http://a.example.com', 'ftp://b']\n        consent_mode: maybe\n      - client_id: two\n        public: true\n"
    );
    let told = import(&machine, "authelia-clients", &more, &[]).failed();
    let lines: Vec<&str> = told
        .lines()
        .filter_map(|line| Some(line.split_once("users:")?.1))
        .collect();
    for (line, start) in lines.iter().zip([
        "4: wiki: public is true or false",
        "4: wiki: there is a client with this client_id",
        "8: two: consent_mode maybe",
        "8: two: its client_secret is no hash",
        "8: two: http://a.example.com: ",
        "8: two: ftp://b: ",
        "12: two: the client on line 8 has this client_id",
        "12: two: a client needs an address",
    ]) {
        assert!(line.starts_with(start), "{start}: {told}");
    }
    assert_eq!(lines.len(), 8, "{told}");
}

#[test]
fn yaml_that_cannot_be_read_is_told_by_what_is_wrong_and_where() {
    let machine = Machine::new();
    let head = "identity_providers:\n  oidc:\n    clients:\n";
    for (rest, told) in [
        (
            "      - client_id: a\n\tclient_name: x\n",
            "users:5: is no YAML: a tab",
        ),
        (
            "      - client_id: a\n        client_secret: {{ secret \"/a\" }}\n",
            "users:5: a template stands here ({{ … }})",
        ),
        (
            "      - client_id: {{ a }}\n      # was: {{ c }}\n      - client_id: {{ b }}\n",
            "users:6: a template stands here",
        ),
        (
            "      - client_id: 'a\n        client_secret: $2y$10\n",
            "users:4: is no YAML: unclosed quote",
        ),
        (
            "      - client_id: a\n       client_secret: $2y$10\n",
            "users:5: is no YAML: ",
        ),
        (
            "      - client_id: a\n        client_id: $2y$10\n",
            "users:5: this name is there twice",
        ),
        (
            "      - client_id: a\n        client_secret: *b\n",
            "users:5: * refers to",
        ),
        (
            "      - client_id: a\n---\nb: c\n",
            "users:6: a second document",
        ),
        ("      a: b\n", "users:4: a list belongs here"),
        (
            "      - only\n",
            "users:4: has no names with values below it",
        ),
        ("", "there is no client in it"),
    ] {
        let text = format!("{head}{rest}");
        let all = import(&machine, "authelia-clients", &text, &[]).failed();
        assert!(all.contains(told), "{text}: {all}");
        assert!(!all.contains("$2y"), "{all}");
        assert!(!all.contains("{{ c"), "{all}");
    }
    for (text, told) in [
        (
            "users:\n  a: {}\n",
            "users:1: there is no identity_providers",
        ),
        ("", "users:1: there is no identity_providers"),
        (
            "identity_providers:\n  ldap: {}\n",
            "users:1: there is no oidc below",
        ),
        ("- a\n", "users:1: names belong here"),
    ] {
        let all = import(&machine, "authelia-clients", text, &[]).failed();
        assert!(all.contains(told), "{text}: {all}");
    }
    assert!(!machine.path("vestibule.db").exists());
}

#[test]
fn a_policy_that_admits_a_group_by_two_factors_is_taken() {
    let machine = Machine::new();
    for (name, subject) in [
        ("one", "'group:staff'"),
        ("many", "['group:staff']"),
        ("nested", "[['group:staff']]"),
    ] {
        let text = format!(
            "identity_providers:\n  oidc:\n    authorization_policies:\n      own:\n        default_policy: deny\n        rules:\n          - policy: two_factor\n            subject: {subject}\n    clients:\n      - client_id: {name}\n        client_secret: '{PBKDF2}'\n        redirect_uris: ['https://a.example.com/cb']\n        authorization_policy: own\n"
        );
        import(&machine, "authelia-clients", &text, &[]).done();
        let shown = machine.cli(&["client", "show", name, "--json"]).json();
        assert_eq!(shown["groups"], json!(["staff"]), "{name}");
        assert_eq!(shown["factor"], "two", "{name}");
    }
}

#[test]
fn a_policy_that_says_more_than_groups_is_not_guessed_at() {
    let machine = Machine::new();
    for policy in [
        "{rules: [{policy: one_factor, subject: 'group:a'}]}",
        "{default_policy: one_factor, rules: [{policy: two_factor, subject: 'group:a'}]}",
        "{default_policy: deny, rules: [{policy: one_factor, subject: 'user:a'}]}",
        "{default_policy: deny, rules: [{policy: one_factor, subject: [['group:a', 'group:b']]}]}",
        "{default_policy: deny, rules: [{policy: deny, subject: 'group:a'}]}",
        "{default_policy: deny, rules: [{policy: one_factor, subject: 'group:a'}, {policy: two_factor, subject: 'group:b'}]}",
        "{default_policy: deny, rules: [{policy: one_factor, subject: 'group:a', networks: ['10.0.0.0/8']}]}",
        "{default_policy: deny, rules: [{policy: one_factor}]}",
        "{default_policy: deny, rules: []}",
    ] {
        let text = format!(
            "identity_providers:\n  oidc:\n    authorization_policies:\n      own: {policy}\n    clients:\n      - client_id: app\n        client_secret: '{PBKDF2}'\n        redirect_uris: ['https://a.example.com/cb']\n        authorization_policy: own\n"
        );
        let told = import(&machine, "authelia-clients", &text, &[]).failed();
        assert!(
            told.contains("authorization_policy own"),
            "{policy}: {told}"
        );
    }
}
