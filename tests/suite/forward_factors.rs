//! What sites and rules ask for beyond a session: two factors, a proof that is not too old, use without long pauses.

use std::time::Duration;

use rocket::http::Method;
use vestibule::foundation::audit::Actor;
use vestibule::sessions::Methods;
use vestibule::sites::decision::{Asked, Decision, decide};
use vestibule::sites::explain::explain;
use vestibule::sites::host::Pattern;
use vestibule::sites::policy;
use vestibule::sites::rules::{Fallback, Site};
use vestibule::sites::terms::{Factors, Terms};
use vestibule::sites::visitor::Visitor;
use vestibule::sites::{OriginalRequest, terms};

use crate::support::proxy::{PAGE, Person, SCRIPT, rule, way};
use crate::support::{Answer, Authenticator, PASSWORD, TestApp};

const MINUTE: Duration = Duration::from_secs(60);
const HOME: &str = "https://app.example.net/";

/// A site for who is signed in, on the terms that `change` makes of the usual ones.
async fn site_on(app: &TestApp, host: &str, change: impl FnOnce(&mut Terms)) -> Site {
    let site = app.site(host, "signed-in", &[]).await;
    let mut terms = site.terms.clone();
    change(&mut terms);
    policy::change_site(&app.app, &Actor::operator(), site.id, terms.clone(), None)
        .await
        .expect("a database")
        .expect("a site");
    Site { terms, ..site }
}

fn two(terms: &mut Terms) {
    terms.factors = Factors::Two;
}

/// Whether an answer leads to the sign-in page, and what it says is to be proven there.
fn asked_for(answer: &Answer) -> (bool, bool) {
    assert_eq!(answer.status, 302, "{answer:?}");
    let way = way(answer);
    assert!(
        way.starts_with("https://auth.example.com/login?rd="),
        "{way}"
    );
    (way.contains("&factor=two"), way.contains("&fresh=1"))
}

async fn is_let_in(person: &mut Person, url: &str) -> bool {
    person.there.ask("GET", url, &SCRIPT).await.status == 200
}

#[test]
fn factors_are_asked_of_whoever_has_to_be_signed_in() {
    use Decision::{Allow, Forbid, SecondFactor, SignIn};
    let visitor = |methods| {
        let user = vestibule::User {
            id: uuid::Uuid::now_v7(),
            username: "alice".to_owned(),
            display_name: String::new(),
            email: None,
            email_verified: false,
            groups: Vec::new(),
            admin: false,
            must_change_password: false,
            has_totp: true,
            has_passkey: false,
            created_at: vestibule::Timestamp::from_micros(0),
            disabled_at: None,
        };
        Visitor::signed_in(user.into(), methods)
    };
    let one = visitor(Methods::PASSWORD);
    let both = visitor(Methods::PASSWORD.and(Methods::TOTP));
    let passkey = visitor(Methods::PASSKEY);
    for (factors, fallback, rules, expected) in [
        (Factors::One, "signed-in", &[][..], [SignIn, Allow, Allow]),
        (
            Factors::Two,
            "signed-in",
            &[],
            [SecondFactor, SecondFactor, Allow],
        ),
        (Factors::Two, "public", &[], [Allow, Allow, Allow]),
        (Factors::Two, "deny", &[], [Forbid, Forbid, Forbid]),
        (
            Factors::Two,
            "group:staff",
            &[],
            [SecondFactor, Forbid, Forbid],
        ),
        (
            Factors::One,
            "deny",
            &["allow /* for signed-in with two"],
            [SecondFactor, SecondFactor, Allow],
        ),
        (
            Factors::One,
            "deny",
            &["allow /* for user:alice with two"],
            [SecondFactor, SecondFactor, Allow],
        ),
        (
            Factors::One,
            "deny",
            &["allow /* for user:bob with two"],
            [SecondFactor, Forbid, Forbid],
        ),
        // Anyone with two factors has to be somebody.
        (
            Factors::One,
            "public",
            &["allow /* for anyone with two"],
            [SecondFactor, SecondFactor, Allow],
        ),
        (
            Factors::Two,
            "deny",
            &["allow /* for anyone"],
            [Allow, Allow, Allow],
        ),
        (
            Factors::Two,
            "deny",
            &["allow /* for signed-in"],
            [SecondFactor, SecondFactor, Allow],
        ),
        (
            Factors::Two,
            "public",
            &["deny /* for anyone"],
            [Forbid, Forbid, Forbid],
        ),
        // The rule that holds decides, not one after it.
        (
            Factors::One,
            "signed-in",
            &["allow /* for user:alice with two", "allow /* for signed-in"],
            [SignIn, SecondFactor, Allow],
        ),
        (
            Factors::One,
            "deny",
            &["allow /* for user:alice with two", "deny /* for anyone"],
            [SecondFactor, SecondFactor, Allow],
        ),
    ] {
        let terms = Terms {
            factors,
            ..fallback.parse::<Fallback>().expect("a default").into()
        };
        let site = Site {
            id: uuid::Uuid::now_v7(),
            host: Pattern::parse("app.example.net", "https").expect("a host"),
            terms,
            rules: rules.iter().map(|text| rule(text)).collect(),
        };
        let asked = Asked {
            method: "GET",
            path: "/x",
            address: None,
        };
        let found = [None, Some(&one), Some(&both)].map(|visitor| decide(&site, &asked, visitor));
        assert_eq!(found, expected, "{factors:?} {fallback} {rules:?}");
        assert_eq!(decide(&site, &asked, Some(&passkey)), expected[2]);
    }
}

#[test]
fn a_rule_that_denies_asks_for_no_second_factor() {
    assert!(rule("deny /* for anyone with two").checked().is_err());
    let text = "allow /* for anyone with two factors";
    assert_eq!(rule("allow /* for anyone with two").to_string(), text);
}

#[test]
fn limits_are_read_as_they_are_shown() {
    for (text, span) in [
        ("off", None),
        ("15m", Some(15 * MINUTE)),
        ("1m", Some(MINUTE)),
    ] {
        assert_eq!(terms::limit(text), Ok(span));
        assert_eq!(terms::limit_text(span), text);
    }
    for text in ["", "0", "59s", "2years", "soon", "-1m"] {
        assert!(terms::limit(text).is_err(), "{text}");
    }
}

#[rocket::async_test]
async fn one_factor_leads_to_the_second_step_and_two_go_in() {
    let app = TestApp::start().await;
    site_on(&app, "app.example.net", two).await;
    app.site(
        "open.example.net",
        "signed-in",
        &["allow /safe/* for signed-in with two"],
    )
    .await;
    let mut alice = Person::signed_in(&app, "alice").await;
    let sent = alice.there.open(HOME).await;
    assert_eq!(asked_for(&sent), (true, false));
    let authenticator = Authenticator::set_up(&app, &mut alice.here).await;
    alice.enter(HOME).await;
    let answer = alice.there.ask("GET", HOME, &SCRIPT).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("remote-methods"), "password,totp");

    // A rule alone, by a browser with one factor.
    let mut bob = Person::signed_in(&app, "bob").await;
    bob.enter("https://open.example.net/").await;
    let safe = "https://open.example.net/safe/x";
    assert!(is_let_in(&mut bob, "https://open.example.net/x").await);
    assert_eq!(asked_for(&bob.there.open(safe).await), (true, false));
    let script = bob.there.ask("GET", safe, &SCRIPT).await;
    assert_eq!((script.status, script.header("location")), (401, ""));
    let nginx = bob.there.ask_as_nginx("GET", safe, &PAGE).await;
    assert_eq!(nginx.status, 401);
    assert!(nginx.header("location").contains("&factor=two"));
    let envoy = bob.there.ask_as_envoy(Method::Get, safe, &PAGE).await;
    assert_eq!(asked_for(&envoy), (true, false));

    // All the way of a sign-in, by the second step.
    let mut again = Person {
        here: app.anonymous(),
        there: app.anonymous(),
    };
    let sent = again.there.open(HOME).await;
    let password = again.here.sign_in_on_the_way("alice", &way(&sent)).await;
    assert_eq!(password.header("location"), "/login/code");
    let form = [("code", authenticator.code(&app))];
    let form: Vec<(&str, &str)> = form
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let left = again.here.post("/login/code", &form).await.unescaped();
    let (_, rest) = left.split_once("content=\"0;url=").expect("a way on");
    let entrance = rest
        .split('"')
        .next()
        .expect("an address")
        .replace("&amp;", "&");
    assert_eq!(again.there.open(&entrance).await.status, 302);
    assert!(is_let_in(&mut again, HOME).await);
}

#[rocket::async_test]
async fn atk_02_a_session_with_fewer_factors_than_its_user_has_is_nobodys_at_sites() {
    let app = TestApp::start().await;
    app.site(
        "app.example.net",
        "signed-in",
        &["allow /public for anyone"],
    )
    .await;
    let mut stolen = Person::signed_in(&app, "alice").await;
    stolen.enter(HOME).await;
    assert!(is_let_in(&mut stolen, HOME).await);
    let mut own = app.sign_in_again("alice").await;
    Authenticator::set_up(&app, &mut own).await;
    let page = stolen.there.open(HOME).await;
    assert_eq!(asked_for(&page), (false, false));
    let public = stolen
        .there
        .ask("GET", "https://app.example.net/public", &SCRIPT)
        .await;
    assert_eq!((public.status, public.header("remote-user")), (200, ""));
}

#[rocket::async_test]
async fn atk_02_what_the_settings_ask_for_now_holds_at_sites() {
    let app = TestApp::start().await;
    app.site("app.example.net", "signed-in", &[]).await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(HOME).await;
    let app = app.restarted_with("second_factor.required = \"all\"").await;
    alice.there.connect(&app);
    assert!(!is_let_in(&mut alice, HOME).await);
}

#[rocket::async_test]
async fn atk_18_a_trusted_device_is_no_second_factor_at_a_site() {
    let app = TestApp::start().await;
    site_on(&app, "app.example.net", two).await;
    app.site("plain.example.net", "signed-in", &[]).await;
    let plain = "https://plain.example.net/";
    let mut alice = Person::signed_in(&app, "alice").await;
    let mut own = app.sign_in_again("alice").await;
    Authenticator::set_up(&app, &mut own).await;
    app.execute("UPDATE sessions SET trusted = TRUE WHERE methods = 'password'")
        .await;
    alice.enter(plain).await;
    assert!(is_let_in(&mut alice, plain).await);
    assert_eq!(asked_for(&alice.there.open(HOME).await), (true, false));
    let script = alice.there.ask("GET", HOME, &SCRIPT).await;
    assert_eq!(script.status, 401);
}

#[rocket::async_test]
async fn atk_19_a_site_cookie_gains_nothing_from_a_step_up() {
    let app = TestApp::with("sites.cookie_domain = \"example.com\"").await;
    site_on(&app, "app.example.com", two).await;
    app.site(
        "open.example.com",
        "signed-in",
        &["allow /safe/* for signed-in with two"],
    )
    .await;
    let open = "https://open.example.com/";
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(open).await;
    let (stolen_site, stolen_domain) = (
        format!(
            "__Host-vestibule-site={}",
            alice.there.cookies["__Host-vestibule-site"]
        ),
        format!(
            "__Secure-vestibule-domain={}",
            alice.here.cookies["__Secure-vestibule-domain"]
        ),
    );
    Authenticator::set_up(&app, &mut alice.here).await;
    for stolen in [&stolen_site, &stolen_domain] {
        let headers = [SCRIPT[0], SCRIPT[1], ("Cookie", stolen.as_str())];
        for url in [
            "https://app.example.com/",
            open,
            "https://open.example.com/safe/",
        ] {
            let answer = app.anonymous().ask("GET", url, &headers).await;
            assert_eq!(answer.status, 401, "{url}");
        }
    }
    // Nor does a shared cookie of after the step-up count as two factors.
    alice.enter(open).await;
    let shared = alice.here.cookies["__Secure-vestibule-domain"].clone();
    let shared = format!("__Secure-vestibule-domain={shared}");
    let headers = [SCRIPT[0], SCRIPT[1], ("Cookie", shared.as_str())];
    for (url, expected) in [
        (open, 200),
        ("https://open.example.com/safe/", 401),
        ("https://app.example.com/", 401),
    ] {
        let answer = app.anonymous().ask("GET", url, &headers).await;
        assert_eq!(answer.status, expected, "{url}");
    }
}

#[rocket::async_test]
async fn atk_19_the_shared_cookie_is_not_accepted_where_a_site_limits_pauses_or_ages() {
    let app = TestApp::with("sites.cookie_domain = \"example.com\"").await;
    app.site("open.example.com", "signed-in", &[]).await;
    let hour = Some(60 * MINUTE);
    site_on(&app, "idle.example.com", |terms| terms.idle = hour).await;
    site_on(&app, "age.example.com", |terms| terms.max_age = hour).await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter("https://open.example.com/").await;
    let shared = alice.here.cookies["__Secure-vestibule-domain"].clone();
    let shared = format!("__Secure-vestibule-domain={shared}");
    let headers = [SCRIPT[0], SCRIPT[1], ("Cookie", shared.as_str())];
    for (host, expected) in [("open", 200), ("idle", 401), ("age", 401)] {
        let url = format!("https://{host}.example.com/");
        let answer = app.anonymous().ask("GET", &url, &headers).await;
        assert_eq!(answer.status, expected, "{url}");
    }
}

#[rocket::async_test]
async fn past_the_age_of_a_proof_the_site_asks_for_one_anew() {
    let app = TestApp::start().await;
    site_on(&app, "app.example.net", |terms| {
        terms.max_age = Some(10 * MINUTE)
    })
    .await;
    app.site("plain.example.net", "signed-in", &[]).await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(HOME).await;
    app.wait(9 * MINUTE).await;
    assert!(
        is_let_in(&mut alice, HOME).await,
        "use does not put it off, nor is it over"
    );
    app.wait(MINUTE).await;
    assert!(!is_let_in(&mut alice, HOME).await);
    let sent = alice.there.open(HOME).await;
    assert_eq!(asked_for(&sent), (false, true));
    // The session goes on elsewhere, and at this site once it was proven.
    let asked = alice.here.follow(&way(&sent)).await;
    assert!(
        asked.header("location").starts_with("/reauthenticate?"),
        "{asked:?}"
    );
    let page = alice.here.get(asked.header("location")).await;
    let mut fields = vec![("password".to_owned(), PASSWORD.to_owned())];
    let hidden = page.fields_of("/reauthenticate");
    fields.extend(
        hidden
            .into_iter()
            .filter(|(name, _)| name == "rd" || name == "flow"),
    );
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let proven = alice.here.post("/reauthenticate", &fields).await;
    assert!(
        proven.status == 200 || proven.status == 303,
        "{}",
        proven.body
    );
    alice.enter(HOME).await;
    assert!(is_let_in(&mut alice, HOME).await);
}

#[rocket::async_test]
async fn a_pause_that_is_too_long_asks_for_a_proof_and_use_puts_it_off() {
    let app = TestApp::start().await;
    site_on(&app, "app.example.net", |terms| {
        terms.idle = Some(10 * MINUTE)
    })
    .await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(HOME).await;
    for _ in 0..4 {
        app.wait(9 * MINUTE).await;
        assert!(is_let_in(&mut alice, HOME).await);
    }
    // What was noted in memory survives the process.
    let app = app.restarted().await;
    alice.there.connect(&app);
    app.wait(9 * MINUTE).await;
    assert!(is_let_in(&mut alice, HOME).await);
    app.wait(10 * MINUTE).await;
    assert!(!is_let_in(&mut alice, HOME).await);
    assert_eq!(asked_for(&alice.there.open(HOME).await), (false, true));
    assert!(!is_let_in(&mut alice, HOME).await, "a refusal is no use");
}

#[rocket::async_test]
async fn what_a_page_does_by_itself_is_no_use_where_the_site_says_so() {
    let app = TestApp::with("sessions.idle_timeout = \"30m\"").await;
    site_on(&app, "app.example.net", |terms| {
        terms.background = false;
        terms.idle = Some(10 * MINUTE);
    })
    .await;
    site_on(&app, "quiet.example.net", |terms| terms.background = false).await;
    let quiet = "https://quiet.example.net/";
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(HOME).await;
    let mut also = alice.clone();
    also.there = app.anonymous();
    also.enter(quiet).await;
    app.wait(9 * MINUTE).await;
    assert!(is_let_in(&mut alice, HOME).await);
    app.wait(MINUTE).await;
    assert!(
        !is_let_in(&mut alice, HOME).await,
        "a script put nothing off"
    );
    // Nor the end of the session: it was not used for half an hour, but by scripts.
    app.wait(19 * MINUTE).await;
    assert!(is_let_in(&mut also, quiet).await);
    app.wait(MINUTE).await;
    assert!(!is_let_in(&mut also, quiet).await);
}

#[rocket::async_test]
async fn explain_tells_of_factors() {
    let app = TestApp::start().await;
    site_on(&app, "app.example.net", two).await;
    let alice = app.user("alice").await;
    let request = OriginalRequest::of_url(&app.app, HOME, "GET", None).expect("an address");
    for (factors, decision) in [
        (None, "sign in with two factors"),
        (Some(Factors::One), "sign in with two factors"),
        (Some(Factors::Two), "allow"),
    ] {
        let visitor = Visitor::supposed(alice.clone(), factors);
        let explanation = explain(&app.app, &request, Some(&visitor))
            .await
            .expect("a database");
        assert_eq!(explanation.decision, decision, "{factors:?}");
        let tells = explanation.because.contains("two factors are asked for");
        assert_eq!(tells, decision != "allow", "{}", explanation.because);
    }
    let mut admin = app.admin().await;
    let page = "/admin/explain?url=https://app.example.net/&user=alice&factor=";
    assert!(
        admin
            .get(&format!("{page}one"))
            .await
            .body
            .contains("Sign in with two factors")
    );
    assert!(
        admin
            .get(&format!("{page}two"))
            .await
            .body
            .contains("<h2 id=\"told\">Allow</h2>")
    );
}

#[rocket::async_test]
async fn pages_of_sites_and_rules_say_and_change_it() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let form = [
        ("host", "app.example.net"),
        ("fallback", "signed-in"),
        ("note", ""),
        ("factor", "two"),
        ("tokens", "on"),
    ];
    let page = admin
        .post("/admin/sites/new", &form)
        .await
        .header("location")
        .to_owned();
    assert!(
        admin
            .get(&page)
            .await
            .body
            .contains("signed-in, two factors, app tokens")
    );
    let form = [
        ("fallback", "signed-in"),
        ("note", ""),
        ("factor", "one"),
        ("idle", "15m"),
        ("max_age", "12h"),
        ("background", "off"),
    ];
    assert_eq!(admin.post(&page, &form).await.status, 303);
    let text = "signed-in, app tokens, idle 15m, max age 12h, background off";
    assert!(admin.get(&page).await.body.contains(text));
    for (field, value) in [
        ("idle", "1s"),
        ("max_age", "soon"),
        ("factor", "three"),
        ("tokens", "yes"),
    ] {
        let form = [("fallback", "signed-in"), ("note", ""), (field, value)];
        assert_eq!(admin.post(&page, &form).await.status, 422, "{field}");
    }
    let rules = format!("{page}/rules");
    let rule = |effect, factor| {
        [
            ("path", "/*"),
            ("methods", ""),
            ("networks", ""),
            ("who", "signed-in"),
            ("effect", effect),
            ("at", ""),
            ("factor", factor),
        ]
    };
    assert_eq!(admin.post(&rules, &rule("allow", "two")).await.status, 303);
    assert_eq!(admin.post(&rules, &rule("deny", "two")).await.status, 422);
    assert!(
        admin
            .get("/admin/rules")
            .await
            .unescaped()
            .contains("allow /* for signed-in with two factors")
    );
}
