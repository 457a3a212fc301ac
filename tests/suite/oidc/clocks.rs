//! Clocks that do not agree: an application's, by some minutes, and what it may make of `max_age` and `auth_time`.

use std::time::Duration;

use super::{RelyingParty, Tokens, parameter, register};
use crate::support::{Client, TestApp};

const MINUTE: Duration = Duration::from_secs(60);

async fn start() -> (TestApp, RelyingParty, Client) {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let browser = app.signed_in("alice").await;
    (app, party, browser)
}

fn number(tokens: &Tokens, name: &str) -> i64 {
    let value = tokens.claims[name].as_i64();
    value.unwrap_or_else(|| panic!("{name} of {}", tokens.claims))
}

#[rocket::async_test]
async fn an_application_whose_clock_is_minutes_off_takes_what_it_is_given() {
    let (app, party, mut browser) = start().await;
    app.wait(5 * MINUTE).await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    let (issued, end) = (number(&tokens, "iat"), number(&tokens, "exp"));
    let proven = number(&tokens, "auth_time");
    assert_eq!(issued - proven, 300, "by one clock, ours");
    // Nine minutes ahead it is not over, and nothing says that it is not good yet for who is behind.
    assert!(end - issued >= 9 * 60, "{}", tokens.claims);
    assert!(tokens.claims.get("nbf").is_none(), "{}", tokens.claims);
}

#[rocket::async_test]
async fn max_age_is_judged_to_the_second_by_the_clock_that_set_auth_time() {
    let (app, party, mut browser) = start().await;
    let silent = [("max_age", "300"), ("prompt", "none")];
    app.wait(5 * MINUTE).await;
    let tokens = party.tokens(&app, &mut browser, &silent).await;
    assert!(number(&tokens, "iat") - number(&tokens, "auth_time") <= 300);
    app.wait(Duration::from_secs(1)).await;
    let back = party.back(&mut browser, &silent).await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"));
    // A refresh is no proof.
    let refreshed = Tokens::of(&party.refresh(&app, &tokens.refresh).await);
    assert_eq!(refreshed.claims["auth_time"], tokens.claims["auth_time"]);
    assert!(number(&refreshed, "iat") > number(&tokens, "iat"));
}

/// The parameter that says since when a proof is new enough stands in an address, where anybody may change it. Whoever
/// can do that can leave `prompt` and `max_age` out as well; `auth_time` is what an application goes by.
#[rocket::async_test]
async fn no_request_makes_a_proof_newer_than_it_is() {
    let (app, party, mut browser) = start().await;
    let first = party.tokens(&app, &mut browser, &[]).await;
    app.wait(10 * MINUTE).await;
    let later = "99999999999999999";
    for since in ["0", later, "-1", "x"] {
        let with = [
            ("max_age", "1"),
            ("prompt", "login"),
            ("vestibule_since", since),
        ];
        let back = party.back(&mut browser, &with).await;
        let Some(code) = parameter(&back, "code") else {
            assert!(back.starts_with("/login?"), "{since}: {back}");
            continue;
        };
        let tokens = Tokens::of(&party.exchange(&app, &code).await);
        assert_eq!(
            tokens.claims["auth_time"], first.claims["auth_time"],
            "{since}"
        );
    }
    let ahead = [("prompt", "login"), ("vestibule_since", later)];
    let back = party.back(&mut browser, &ahead).await;
    let again = parameter(&back, "rd").expect("a way back");
    let since = parameter(&again, "vestibule_since").expect("a time");
    assert_ne!(since, later, "nobody would ever be through");
    assert!(
        back.starts_with("/login?"),
        "a time to come is none: {back}"
    );
}
