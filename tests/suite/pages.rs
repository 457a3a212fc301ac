//! Every page: how it looks to a browser, and that no text from outside becomes a part of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use vestibule::Timestamp;
use vestibule::people::users::NewUser;
use vestibule::web::pages::render_samples;

use crate::support::{PASSWORD, TestApp};

const TEMPLATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
const SNAPSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/snapshots");

const HOSTILE: &str = "'\"><svg onload=alert(1)>{{7777*7777}}{% raw %}<!--";

/// Written already; their pages come with a later change, which takes them out of this list.
const WITHOUT_PAGE: [&str; 0] = [];

/// Each page with `text` wherever a text comes from outside; the versions of stylesheet and script left out, for
/// they change with every colour.
async fn pages(text: &str) -> Vec<(String, String)> {
    let app = TestApp::start().await;
    let samples = render_samples(&app.app, text).expect("every page renders");
    samples
        .into_iter()
        .map(|(name, html)| {
            let (before, after) = html.split_once("style.css?v=").expect("a stylesheet");
            let html = format!("{before}style.css{}", &after[8..]);
            match html.split_once("passkey.js?v=") {
                Some((before, after)) => (name, format!("{before}passkey.js{}", &after[8..])),
                None => (name, html),
            }
        })
        .collect()
}

fn template(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name)
}

fn files_in(folder: &Path, base: &Path, to: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_in(&path, base, to);
        } else {
            to.insert(
                path.strip_prefix(base)
                    .expect("within")
                    .display()
                    .to_string(),
            );
        }
    }
}

fn files(folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    files_in(Path::new(folder), Path::new(folder), &mut found);
    found
}

fn snapshot_name(page: &str) -> String {
    page.replace(".html", "").replace(['/', ' '], "_")
}

#[rocket::async_test]
async fn every_page_is_as_it_was_looked_at() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(SNAPSHOTS);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let pages = pages("Ada Lovelace").await;
    settings.bind(|| {
        for (name, html) in &pages {
            insta::assert_snapshot!(snapshot_name(name), html);
        }
    });
    let expected = pages
        .iter()
        .map(|(name, _)| format!("{}.snap", snapshot_name(name)));
    assert_eq!(
        files(SNAPSHOTS),
        expected.collect(),
        "a page that is gone leaves no snapshot"
    );
}

#[rocket::async_test]
async fn every_template_is_a_page_that_these_tests_see() {
    let seen: BTreeSet<String> = pages("")
        .await
        .iter()
        .map(|(name, _)| template(name).to_owned())
        .collect();
    let parts = ["layout.html", "parts.html"];
    let written: BTreeSet<String> = files(TEMPLATES)
        .into_iter()
        .filter(|name| name.ends_with(".html"))
        .filter(|name| !parts.contains(&name.as_str()) && !WITHOUT_PAGE.contains(&name.as_str()))
        .collect();
    assert_eq!(seen, written);
}

#[rocket::async_test]
async fn every_moment_is_told_in_one_form_by_how_long_ago_and_exactly() {
    let mut seen = 0;
    for (name, html) in pages("Ada Lovelace").await {
        for part in html.split("<time datetime=\"").skip(1) {
            let (datetime, rest) = part.split_once("\">").expect("an attribute");
            let (shown, _) = rest.split_once("</time>").expect("an end");
            if datetime.len() == "2026-11-24".len() {
                assert_eq!(shown, datetime, "{name}: a day of the chart");
                continue;
            }
            seen += 1;
            let (relative, exact) = shown.split_once(" <span class=\"sub\">").expect(shown);
            let at = Timestamp::parse(datetime).expect("RFC 3339");
            assert!(datetime.ends_with('Z'), "{name}: {datetime}");
            assert_eq!(exact, format!("{}</span>", at.exact()), "{name}");
            assert!(
                relative.ends_with(" ago") || relative.starts_with("in "),
                "{name}: {relative}"
            );
        }
    }
    assert!(seen > 30, "{seen} moments");
}

#[rocket::async_test]
async fn hdr_07_no_page_loads_from_elsewhere_or_runs_anything() {
    for (name, html) in pages("Ada Lovelace").await {
        for attribute in ["href=\"", "src=\"", "action=\"", "srcset=\"", "url("] {
            for (at, _) in html.match_indices(attribute) {
                let target = html[at + attribute.len()..].replace("&#x2f;", "/");
                let ours = (target.starts_with('/') && !target.starts_with("//"))
                    || target.starts_with("Ada");
                assert!(ours, "{name}: {attribute}{target:.80}");
            }
        }
        let scripts = html.matches("<script").count();
        let ours = html.matches("<script src=\"&#x2f;.vestibule&#x2f;passkey.js\"");
        let asks_for_passkey = usize::from(html.contains("data-options"));
        assert_eq!(
            (scripts, ours.count()),
            (asks_for_passkey, asks_for_passkey),
            "{name}"
        );
        for refused in [
            "<style",
            "style=\"",
            " onclick",
            " onload",
            "javascript:",
            "<iframe",
            "http:",
            "https:",
        ] {
            assert!(!html.contains(refused), "{name} has {refused}");
        }
    }
    let css = include_str!("../../templates/style.css");
    assert!(!css.contains("url(") && !css.contains("@import"));
}

/// Forms that overwrite nothing that a page showed: they make something new, ask, end all sessions, or
/// are about a password.
const EDITS_NOTHING: &[&str] = &[
    "/reset",
    "/reset/Ada Lovelace",
    "/account/email",
    "/account/password",
    "/account/tokens",
    "/account/totp",
    "/admin/doctor",
    "/admin/sessions/revoke-everyone",
    "/admin/sites/new",
    "/admin/users/new",
    "/admin/applications",
    // A picture stands for itself.
    "/admin/applications/Ada Lovelace/icon",
    "/admin/sites/00000000-0000-0000-0000-000000000000/icon",
    // Boxes of one's own, each saved as it stands.
    "/account/notices",
    "/account/factors/code",
    "/admin/invitations",
    "/sign-up",
    "/login",
    "/login/code",
    "/reauthenticate",
    "/setup",
    // The page that asks for the password holds the fields of another form, whatever they are.
    "Ada Lovelace",
];

/// Whoever adds a form finds out here: it carries `made_from(version)`, and its use case compares
/// (`Version::is_stale`), or it stands in the list above with its reason.
#[rocket::async_test]
async fn adm_04_each_form_that_edits_what_is_stored_says_what_it_was_made_from() {
    let mut editing = BTreeSet::new();
    for (name, html) in pages("Ada Lovelace").await {
        for form in html.split("<form ").skip(1) {
            let (form, _) = form.split_once("</form>").expect("its end");
            let action = form.split_once("action=\"").expect("an action").1;
            let action = action.split('"').next().unwrap_or_default();
            let fields = form.split("<input ").skip(1);
            let has_fields = fields
                .into_iter()
                .any(|field| !field.contains("type=\"hidden\""))
                || ["<select", "<textarea"]
                    .iter()
                    .any(|tag| form.contains(tag));
            if !form.contains("method=\"post\"") || !has_fields || EDITS_NOTHING.contains(&action) {
                continue;
            }
            assert!(
                form.contains("name=\"version\""),
                "{name}: the form for {action} does not say what it was made from"
            );
            editing.insert(action.to_owned());
        }
    }
    let id = "00000000-0000-0000-0000-000000000000";
    let known = [
        format!("/admin/sites/{id}"),
        format!("/admin/sites/{id}/rules"),
        format!("/admin/users/{id}"),
        "/admin/applications/Ada Lovelace".to_owned(),
    ];
    assert!(
        known.iter().all(|action| editing.contains(action)),
        "{editing:?}"
    );
}

#[rocket::async_test]
async fn hdr_08_no_text_from_outside_becomes_a_part_of_a_page() {
    let pages = pages(HOSTILE).await;
    let escaped = "&#x27;&quot;&gt;&lt;svg onload=alert(1)&gt;{{7777*7777}}{% raw %}&lt;!--";
    let mut shown = BTreeSet::new();
    for (name, html) in &pages {
        assert!(
            !html.contains("<svg onload") && !html.contains("<!--") && !html.contains("60481729"),
            "{name}: {html}"
        );
        // Wherever the text stands, it stands there whole and escaped.
        assert_eq!(
            html.matches("{{7777*7777}}").count(),
            html.matches(escaped).count(),
            "{name}: {html}"
        );
        if html.contains(escaped) {
            shown.insert(template(name));
        }
    }
    let all: BTreeSet<&str> = pages.iter().map(|(name, _)| template(name)).collect();
    let silent: Vec<&&str> = all.difference(&shown).collect();
    assert_eq!(
        silent,
        [
            &"account/reset.html",
            &"account/reset_done.html",
            &"login/sign_out.html"
        ],
        "pages that show no text from outside"
    );
}

#[rocket::async_test]
async fn hdr_08_what_people_and_browsers_send_is_escaped() {
    let app = TestApp::start().await;
    app.add(NewUser {
        username: "alice".to_owned(),
        display_name: Some(HOSTILE.to_owned()),
        ..NewUser::default()
    })
    .await;
    let mut browser = app.anonymous();
    browser.user_agent = HOSTILE.to_owned();
    let rd: String = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    let fields = [
        ("username", HOSTILE),
        ("password", PASSWORD),
        ("rd", HOSTILE),
        ("flow", HOSTILE),
    ];
    let pages = [
        browser.get(&format!("/login?rd={rd}&flow={rd}")).await,
        browser.post("/login", &fields).await,
        browser.get(&format!("/setup?code={rd}")).await,
        browser
            .post(
                "/setup",
                &[
                    ("code", HOSTILE),
                    ("username", HOSTILE),
                    ("password", PASSWORD),
                ],
            )
            .await,
        browser.post_body("/login", &format!("{rd}=1")).await,
        browser.get(&format!("/{rd}")).await,
        browser.sign_in("alice", PASSWORD).await,
        browser.get("/account").await,
        browser.get(&format!("/reauthenticate?rd={rd}")).await,
    ];
    let mut shown = 0;
    for page in pages {
        assert!(
            !page.body.contains("<svg") && !page.body.contains("<!--"),
            "{}",
            page.body
        );
        shown += usize::from(page.body.contains("&lt;svg onload"));
    }
    assert!(shown >= 6, "{shown} pages showed it");
}

#[rocket::async_test]
async fn a_template_of_templates_dir_replaces_the_embedded_one_and_is_escaped() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("account")).expect("a folder");
    let own = "Our own page for {{ user.display_name }}, alike";
    fs::write(folder.path().join("account/account.html"), own).expect("a file");
    let app = TestApp::with(&format!("templates_dir = {:?}", folder.path())).await;
    app.add(NewUser {
        username: "alice".to_owned(),
        display_name: Some("<b>\"Ada\"".to_owned()),
        ..NewUser::default()
    })
    .await;
    let mut browser = app.sign_in_again("alice").await;
    assert_eq!(
        browser.get("/account").await.body,
        "Our own page for &lt;b&gt;&quot;Ada&quot;, alike"
    );
    let other = browser.get("/account/password").await;
    assert!(
        other.body.starts_with("<!doctype html>"),
        "the others are as they were"
    );
}
