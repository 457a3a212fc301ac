//! What comes before an answer to the application.

use std::time::Duration;

use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::oidc::claims::{TWO_FACTORS, Told};
use crate::oidc::clients::Client;
use crate::oidc::params::Params;
use crate::people::users::User;
use crate::sessions::{CurrentSession, Methods};
use crate::web::with_query;

/// Longer than any user name or address of mail.
const MOST_HINT_BYTES: usize = 320;

/// What was asked for at that time; a proof from then on is new enough.
const SINCE: &str = "vestibule_since";

/// A page of ours that comes first.
pub enum First {
    SignIn(String),
    More(String),
}

pub fn comes_first(
    app: &App,
    params: &Params,
    client: &Client,
    prompts: &[&str],
    hinted: Option<String>,
    current: Option<&CurrentSession>,
) -> Option<First> {
    let now = app.clock.now();
    let since = params.get(SINCE).and_then(|since| since.parse().ok());
    let since = since
        .map(Timestamp::from_micros)
        .filter(|since| *since <= now);
    let asked_at = since.unwrap_or(now).unix_micros().to_string();
    let again = format!(
        "/oauth/authorize?{}",
        params.to_query(Some((SINCE, &asked_at)))
    );
    let login = |name: &str| {
        with_query(
            "/login",
            &[
                ("rd", Some(&again)),
                (name, Some(if name == "factor" { "two" } else { "1" })),
            ],
        )
    };
    let Some(current) = current else {
        let hint = params
            .get("login_hint")
            .filter(|hint| hint.len() <= MOST_HINT_BYTES);
        let way = with_query("/login", &[("rd", Some(&again)), ("hint", hint)]);
        return Some(First::SignIn(way));
    };
    let (session, user) = (&current.session, &current.user);
    if hinted.is_some_and(|hinted| hinted != user.id.to_string()) {
        return Some(First::SignIn(login("switch")));
    }
    let is_anew = since.is_some_and(|since| session.authenticated_at >= since);
    let max_age = params
        .get("max_age")
        .and_then(|age| age.parse().ok())
        .map(Duration::from_secs);
    let is_old =
        max_age.is_some_and(|age| now > session.authenticated_at.plus(age) || age.is_zero());
    let wants_anew = prompts.contains(&"login") || prompts.contains(&"select_account");
    if (is_old || wants_anew) && !is_anew {
        return Some(First::SignIn(login("fresh")));
    }
    let two = client.two_factors
        || Told::is_asked(params.get("acr_values").unwrap_or_default(), TWO_FACTORS);
    let way = match due(app, user, session.methods, session.trusted, two)? {
        Due::TwoFactors => login("factor"),
        Due::SecondFactor | Due::NewPassword => with_query("/login", &[("rd", Some(&again))]),
    };
    Some(First::More(way))
}

/// What a user who is signed in does first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The application asks for two factors.
    TwoFactors,
    /// The user has a second factor, or has to set one up.
    SecondFactor,
    NewPassword,
}

pub fn due(app: &App, user: &User, methods: Methods, trusted: bool, two: bool) -> Option<Due> {
    let required = &app.settings.second_factor.required;
    if two && !methods.is_two_factor() {
        Some(Due::TwoFactors)
    } else if methods.lack_second_factor(trusted, user, required) {
        Some(Due::SecondFactor)
    } else {
        user.must_change_password.then_some(Due::NewPassword)
    }
}
