//! Sites and rules as they are kept: which hosts are taken, and that a change holds at once.

use vestibule::foundation::audit::Actor;
use vestibule::foundation::db::Location;
use vestibule::open_app;
use vestibule::sites::policy::{self, Refused};
use vestibule::sites::rules::Fallback;

use crate::support::TestApp;
use crate::support::proxy::{SCRIPT, rule};

async fn add(app: &TestApp, host: &str) -> Result<String, Refused> {
    policy::add_site(&app.app, &Actor::operator(), host, Fallback::Public.into())
        .await
        .expect("a database")
        .map(|site| site.host.to_string())
}

async fn status(app: &TestApp, url: &str) -> u16 {
    app.anonymous().ask("GET", url, &SCRIPT).await.status
}

#[rocket::async_test]
async fn a_site_is_a_host_or_a_wildcard_of_one_level_in_its_one_spelling() {
    let app = TestApp::start().await;
    for (text, expected) in [
        ("App.Example.NET.", "app.example.net"),
        ("bücher.example:443", "xn--bcher-kva.example"),
        ("*.Example.org", "*.example.org"),
        ("192.0.2.1:8443", "192.0.2.1:8443"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
    ] {
        assert_eq!(add(&app, text).await.as_deref(), Ok(expected));
    }
    for text in [
        "",
        "*",
        "*.net",
        "https://app.example.net",
        "app.example.net/",
        "a b",
        "*.*.example.net",
        "a.*.net",
        "app.example.net:x",
    ] {
        assert_eq!(add(&app, text).await, Err(Refused::BadHost), "{text}");
    }
}

#[rocket::async_test]
async fn the_sign_in_host_is_never_a_site_whatever_the_port() {
    let app = TestApp::start().await;
    for host in [
        "auth.example.com",
        "AUTH.example.com.",
        "auth.example.com:443",
        "auth.example.com:8443",
    ] {
        assert_eq!(add(&app, host).await, Err(Refused::SignInHost), "{host}");
    }
    // Not by a wildcard over it either.
    add(&app, "*.example.com").await.expect("a wildcard");
    add(&app, "*.example.org:8443").await.expect("a wildcard");
    for (url, expected) in [
        ("https://app.example.com/", 200),
        ("https://auth.example.com/", 403),
        ("https://AUTH.example.com./", 403),
        ("https://auth.example.com/.vestibule/enter?ticket=x", 403),
        ("https://app.example.org:8443/", 200),
        ("https://app.example.org/", 403),
    ] {
        assert_eq!(status(&app, url).await, expected, "{url}");
    }
}

#[rocket::async_test]
async fn a_sign_in_host_that_moved_onto_a_site_or_has_a_final_dot_is_no_site_either() {
    let app = TestApp::start().await;
    add(&app, "app.example.net").await.expect("a site");
    let lines = "public_url = \"https://app.example.net:8443\"";
    let app = app.restarted_with(lines).await;
    assert_eq!(status(&app, "https://app.example.net/").await, 403);
    let app = app
        .restarted_with("public_url = \"https://app.example.net.\"")
        .await;
    assert_eq!(status(&app, "https://app.example.net/").await, 403);
    assert_eq!(
        add(&app, "app.example.net:1").await,
        Err(Refused::SignInHost)
    );
}

#[rocket::async_test]
async fn two_sites_on_one_name_are_refused_whatever_the_ports() {
    let app = TestApp::start().await;
    for host in [
        "app.example.net",
        "*.example.org",
        "*.example.info:8443",
        "a.example.dev:8443",
    ] {
        add(&app, host).await.expect("a site");
    }
    for (host, other) in [
        ("app.example.net", "app.example.net"),
        ("APP.example.net.:443", "app.example.net"),
        ("app.example.net:8443", "app.example.net"),
        ("*.example.org", "*.example.org"),
        ("*.example.org:8443", "*.example.org"),
        // An exact host on another port than the wildcard that covers its name, in either order.
        ("app.example.org:8443", "*.example.org"),
        ("app.example.info", "*.example.info:8443"),
        ("*.example.dev", "a.example.dev:8443"),
    ] {
        assert_eq!(
            add(&app, host).await,
            Err(Refused::Taken(other.to_owned())),
            "{host}"
        );
    }
    // On the wildcard's own port it stands before the wildcard.
    for host in [
        "app.example.org",
        "app.example.info:8443",
        "*.example.dev:8443",
        "example.org",
        "a.b.example.org:8443",
    ] {
        add(&app, host).await.expect("a site");
    }
}

#[rocket::async_test]
async fn each_change_holds_from_the_next_request_on() {
    let app = TestApp::start().await;
    let actor = Actor::operator();
    let page = "https://app.example.net/x";
    assert_eq!(status(&app, page).await, 403);
    let site = app.site("app.example.net", "deny", &[]).await;
    assert_eq!(status(&app, page).await, 403);
    let allow = policy::add_rule(
        &app.app,
        &actor,
        site.id,
        rule("allow /* for anyone"),
        None,
        None,
    )
    .await;
    let allow = allow.expect("a database").expect("a rule");
    assert_eq!(status(&app, page).await, 200);
    let deny = policy::add_rule(
        &app.app,
        &actor,
        site.id,
        rule("deny /x for anyone"),
        Some(1),
        None,
    )
    .await;
    let deny = deny.expect("a database").expect("a rule");
    assert_eq!(status(&app, page).await, 403);
    policy::remove_rule(&app.app, &actor, deny.id, None)
        .await
        .expect("a database")
        .expect("a rule");
    assert_eq!(status(&app, page).await, 200);
    policy::remove_rule(&app.app, &actor, allow.id, None)
        .await
        .expect("a database")
        .expect("a rule");
    assert_eq!(status(&app, page).await, 403);
    policy::change_site(&app.app, &actor, site.id, Fallback::SignedIn.into(), None)
        .await
        .expect("a database")
        .expect("a site");
    assert_eq!(status(&app, page).await, 401);
    policy::change_site(&app.app, &actor, site.id, Fallback::Public.into(), None)
        .await
        .expect("a database")
        .expect("a site");
    assert_eq!(status(&app, page).await, 200);
    policy::remove_site(&app.app, &actor, site.id)
        .await
        .expect("a database")
        .expect("a site");
    assert_eq!(status(&app, page).await, 403);
    let gone = policy::remove_site(&app.app, &actor, site.id)
        .await
        .expect("a database");
    assert_eq!(gone, Err(Refused::UnknownSite));
    let gone = policy::remove_rule(&app.app, &actor, allow.id, None)
        .await
        .expect("a database");
    assert_eq!(gone, Err(Refused::UnknownRule));
}

#[rocket::async_test]
async fn a_change_by_another_process_holds_from_the_next_request_on() {
    let app = TestApp::start().await;
    let page = "https://app.example.net/";
    let site = app.site("app.example.net", "public", &[]).await;
    assert_eq!(status(&app, page).await, 200);
    // As the command line does while the server runs.
    let path = app.folder.path().join("vestibule.db");
    let location = Location::parse(&format!("sqlite:{}", path.display())).expect("a path");
    let other = open_app(app.app.settings.clone(), app.clock.clone(), &location)
        .await
        .expect("a service");
    other.db.acknowledge_beside_a_server();
    let done = policy::change_site(
        &other,
        &Actor::operator(),
        site.id,
        Fallback::Deny.into(),
        None,
    )
    .await;
    done.expect("a database").expect("a site");
    assert_eq!(status(&app, page).await, 403);
    let rule = policy::add_rule(
        &other,
        &Actor::operator(),
        site.id,
        rule("allow /* for anyone"),
        None,
        None,
    )
    .await;
    rule.expect("a database").expect("a rule");
    assert_eq!(status(&app, page).await, 200);
    let done = policy::remove_site(&other, &Actor::operator(), site.id).await;
    done.expect("a database").expect("a site");
    assert_eq!(status(&app, page).await, 403);
    // And the other sees that the name is free.
    let again = policy::add_site(
        &other,
        &Actor::operator(),
        "app.example.net:8443",
        Fallback::Public.into(),
    )
    .await;
    again.expect("a database").expect("a site");
    other.close().await;
}

#[rocket::async_test]
async fn rules_are_kept_in_their_order_and_read_back_as_they_were() {
    let app = TestApp::start().await;
    let texts = [
        "allow /c for anyone by GET by POST",
        "deny /b/* for group:staff from 10.0.0.0/8 from fd00::/8",
        "allow /* for user:alice",
    ];
    let site = app.site("app.example.net", "group:staff", &texts).await;
    for (at, path) in [(1, "/first"), (3, "/third"), (99, "/last"), (0, "/zeroth")] {
        let text = format!("allow {path} for anyone");
        let added = policy::add_rule(
            &app.app,
            &Actor::operator(),
            site.id,
            rule(&text),
            Some(at),
            None,
        )
        .await;
        added.expect("a database").expect("a rule");
    }
    let kept = policy::current(&app.app).await.expect("a database");
    let rules = &kept.sites[0].rules;
    let paths: Vec<String> = rules.iter().map(|rule| rule.path.to_string()).collect();
    assert_eq!(
        paths,
        ["/zeroth", "/first", "/c", "/third", "/b/*", "/*", "/last"]
    );
    for text in texts {
        let written = rule(text);
        let read = rules
            .iter()
            .find(|read| read.path == written.path)
            .expect("a rule");
        assert_eq!(
            (&read.methods, &read.networks),
            (&written.methods, &written.networks)
        );
        assert_eq!((&read.who, read.effect), (&written.who, written.effect));
    }
}

#[rocket::async_test]
async fn each_change_is_in_the_audit_trail() {
    let app = TestApp::start().await;
    let site = app
        .site("app.example.net", "deny", &["allow /a/* for group:staff"])
        .await;
    policy::remove_site(&app.app, &Actor::operator(), site.id)
        .await
        .expect("a database")
        .expect("a site");
    let details = app
        .sql("SELECT detail FROM audit WHERE detail IS NOT NULL ORDER BY id")
        .await;
    assert_eq!(
        details,
        [
            "added app.example.net (deny)",
            "app.example.net: added allow /a/* for group:staff",
            "removed app.example.net"
        ]
    );
}
