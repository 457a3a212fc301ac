//! Applications made of Django: with django-allauth, as Paperless-ngx is, and with mozilla-django-oidc.

use serde_json::{Value, json};

use super::modules::script;
use crate::process::{Machine, Ran};
use crate::support::PASSWORD;

/// Where the packages are. `None`, with a line that says so: nowhere.
fn packages() -> Option<String> {
    let folder = std::env::var("TEST_DJANGO").ok();
    if folder.is_none() {
        println!(
            "Django is not here, so it is not tested that it signs in; cargo xtask test installs it"
        );
        assert!(
            std::env::var_os("TEST_REQUIRE_COMPONENTS").is_none(),
            "TEST_DJANGO does not say where Django is"
        );
    }
    folder
}

fn sign_in_with(name: &str, options: &[&str]) {
    let Some(packages) = packages() else {
        return;
    };
    let machine = Machine::new();
    machine.add_user(
        "alice",
        &["--email", "alice@example.com", "--group", "staff"],
    );
    let add = ["client", "add", "Paperless-ngx", "--json"];
    let mut given: Value = machine.cli(&[&add, options].concat()).done().json();
    let server = machine.start();
    given["issuer"] = json!(format!("http://localhost:{}", machine.port));
    given["username"] = json!("alice");
    given["password"] = json!(PASSWORD);
    // The one whose pip has installed them.
    let mut python = machine.command("python3");
    python.arg(script(name)).env("PYTHONPATH", packages);
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = Ran::to_its_end(python, given.to_string().as_bytes());
    assert_eq!(ran.code, 0, "{}\n{}\n{}", ran.out, ran.err, server.err());
}

#[test]
fn django_allauth_signs_in_with_the_settings_of_the_template_for_paperless_ngx() {
    let base = "https://paperless-ngx.example.com";
    sign_in_with(
        "allauth_app.py",
        &["--template", "paperless-ngx", "--url", base],
    );
}

#[test]
fn mozilla_django_oidc_signs_in_takes_groups_over_and_signs_out() {
    let options = [
        "--redirect-uri",
        "https://paperless-ngx.example.com/oidc/callback/",
        "--post-logout-uri",
        "https://paperless-ngx.example.com/bye",
    ];
    sign_in_with("mozilla_app.py", &options);
}
