//! Templates: what is known of applications makes them work, and the documents say the same.

use std::fs;
use std::path::Path;

use vestibule::oidc::clients::{AuthMethod, Client as Registered};
use vestibule::oidc::templates::{TEMPLATES, Template};
use vestibule::people::users::NewUser;

use super::{RelyingParty, Tokens, VERIFIER, post, register, userinfo};
use crate::support::TestApp;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/applications");
const SECRET: &str = "THE_SECRET";

/// Where people have the application in examples.
fn base(template: &Template) -> String {
    format!("https://{}.example.com", template.name)
}

fn client(template: &Template) -> Registered {
    let mut client = Registered::new(template.title, Vec::new());
    template.apply(&mut client, &base(template));
    client
}

/// The page of an application, made of its template.
fn page(template: &Template) -> String {
    let Template {
        name,
        title,
        place,
        note,
        ..
    } = template;
    let base = base(template);
    let client = client(template);
    let quoted = |uris: &[String]| format!("`{}`", uris.join("`, `"));
    let mut facts = vec![("Redirect URIs", quoted(&client.redirect_uris))];
    if !client.sign_out_uris.is_empty() {
        facts.push(("After a sign-out", quoted(&client.sign_out_uris)));
    }
    if let Some(uri) = client.back_channel_uri {
        facts.push(("Back-channel sign-out", format!("`{uri}`")));
    }
    let pkce = if client.pkce {
        "required"
    } else {
        "not required"
    };
    facts.push(("PKCE", pkce.to_owned()));
    let auth = client
        .auth_method
        .map_or("basic or post", AuthMethod::as_str);
    facts.push(("The secret is sent by", auth.to_owned()));
    if client.offline_access {
        facts.push((
            "Goes on after the session",
            "yes, with `offline_access`".to_owned(),
        ));
    }
    let facts: String = facts
        .iter()
        .map(|(what, how)| format!("| {what} | {how} |\n"))
        .collect();
    let settings = template.filled(&[
        ("{base}", &base),
        ("{issuer}", "https://auth.example.com"),
        ("{client_id}", "THE_CLIENT_ID"),
        ("{secret}", SECRET),
    ]);
    let settings: String = settings
        .lines()
        .map(|line| format!("    {line}\n"))
        .collect();
    format!(
        "# {title}\n\n    vestibule client add '{title}' --template {name} --url {base}\n\n\
         It prints the secret once, and these settings with your own values. {place}:\n\n{settings}\n{note}\n\n\
         The template registers:\n\n| what | how |\n| --- | --- |\n{facts}\n\
         `cargo test --test suite oidc::templates::` makes this page with `UPDATE_DOCS=1` in the environment.\n"
    )
}

#[test]
fn the_page_of_each_application_says_what_its_template_does() {
    for template in TEMPLATES {
        let file = Path::new(FOLDER).join(format!("{}.md", template.name));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&file, page(template)).expect("a file");
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(found, page(template), "{}", file.display());
    }
    let files = fs::read_dir(FOLDER).expect("a folder").count();
    assert_eq!(files, TEMPLATES.len(), "a page without a template");
}

/// Exchanges a code as an application does that was set up as its template says.
async fn exchange(app: &TestApp, party: &RelyingParty, client: &Registered, code: &str) -> Tokens {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", client.redirect_uris[0].as_str()),
    ];
    if client.pkce {
        fields.push(("code_verifier", VERIFIER));
    }
    if client.auth_method == Some(AuthMethod::Post) {
        fields.extend([
            ("client_id", party.id.as_str()),
            ("client_secret", &party.secret),
        ]);
        return Tokens::of(&post(app, "/oauth/token", &[], &fields).await);
    }
    Tokens::of(&party.ask(app, "/oauth/token", &fields).await)
}

#[rocket::async_test]
async fn a_user_signs_in_to_each_application_that_was_made_from_its_template() {
    let app = TestApp::start().await;
    app.add(NewUser {
        username: "alice".to_owned(),
        email: Some("alice@example.com".to_owned()),
        ..NewUser::default()
    })
    .await;
    let mut browser = app.sign_in_again("alice").await;
    for template in TEMPLATES {
        let mut client = client(template);
        let party = register(&app, template.title, |registered| {
            client.id.clone_from(&registered.id);
            client.secret_hash.clone_from(&registered.secret_hash);
            registered.clone_from(&client);
        })
        .await;
        let mut with = vec![("redirect_uri", client.redirect_uris[0].as_str())];
        if !client.pkce {
            with.extend([("code_challenge", ""), ("code_challenge_method", "")]);
        }
        let code = party.code(&mut browser, &with).await;
        let tokens = exchange(&app, &party, &client, &code).await;
        let told = userinfo(&app, &tokens.access).await.json();
        for claims in [&tokens.claims, &told] {
            assert_eq!(claims["preferred_username"], "alice", "{}", template.name);
            assert_eq!(claims["email"], "alice@example.com", "{}", template.name);
            assert!(claims["groups"].is_array(), "{}", template.name);
        }
    }
}

#[rocket::async_test]
async fn the_admins_page_fills_in_a_template_and_shows_settings_once() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let form = [
        ("name", "Metrics"),
        ("template", "grafana"),
        ("url", "https://metrics.example.com"),
    ];
    let page = admin.post("/admin/applications", &form).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let secret = page.elements("<code>", "</code>").remove(0);
    let settings = page.elements("<pre tabindex=\"0\">", "</pre>").remove(0);
    assert!(
        settings.contains(&format!("client_secret = {secret}")),
        "{settings}"
    );
    let uris = app
        .sql("SELECT uri FROM client_uris WHERE kind = 'sign-in'")
        .await;
    assert_eq!(uris, ["https://metrics.example.com/login/generic_oauth"]);
    for (template, url) in [
        ("unknown", "https://a.example.com"),
        ("grafana", ""),
        ("grafana", "http://a.example.com"),
    ] {
        let form = [("name", "Other"), ("template", template), ("url", url)];
        assert_eq!(
            admin.post("/admin/applications", &form).await.status,
            422,
            "{template} {url}"
        );
    }
}
