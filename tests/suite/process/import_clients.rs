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
        (PBKDF2, "$1$abc$def", "no hash that can be verified here"),
        (
            "https://b.example.com/cb",
            "http://b.example.com/cb",
            "use https",
        ),
        ("client_id: bad", "client_id: b/a/d", "letters, digits"),
        ("clients:", "clients: none", "cannot be read"),
    ] {
        let ran = import(
            &machine,
            "authelia-clients",
            &client("").replace(from, to),
            &[],
        );
        let told_all = ran.failed();
        assert!(told_all.contains(told), "{to}: {told_all}");
    }
    assert_eq!(machine.number("SELECT count(*) FROM clients"), 0);
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
