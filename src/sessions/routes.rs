//! Who is signed in, for scripts: `GET /api/session`.

use rocket::http::Status;
use rocket::{Route, get, routes};
use serde::Serialize;
use uuid::Uuid;

use super::{CurrentSession, CurrentUser, Denied, Methods, Session};
use crate::foundation::clock::Timestamp;
use crate::people::users::User;
use crate::web::{Answer, Failure, Refusal, Visit};

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![show]
}

#[get("/api/session")]
async fn show(
    _visit: Visit,
    current: Result<CurrentSession, Denied>,
    user: Result<CurrentUser, Denied>,
) -> Result<Answer, Failure> {
    match (current, user) {
        (Ok(current), Ok(user)) => Ok(Answer::json(Status::Ok, &describe(&current.session, &user))),
        (Err(Denied::Unavailable), _) => Err(Refusal::unavailable().into()),
        _ => Ok(Answer::json(
            Status::Unauthorized,
            &Unauthenticated {
                error: "unauthenticated",
            },
        )
        .challenge()),
    }
}

#[derive(Serialize)]
struct Unauthenticated {
    error: &'static str,
}

#[derive(Serialize)]
struct Described<'a> {
    user: DescribedUser<'a>,
    session: DescribedSession,
}

#[derive(Serialize)]
struct DescribedUser<'a> {
    id: Uuid,
    username: &'a str,
    display_name: &'a str,
    email: Option<&'a str>,
    groups: &'a [String],
    admin: bool,
}

#[derive(Serialize)]
struct DescribedSession {
    id: Uuid,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    expires_at: Timestamp,
    authenticated_at: Timestamp,
    methods: Methods,
}

fn describe<'a>(session: &'a Session, user: &'a User) -> Described<'a> {
    Described {
        user: DescribedUser {
            id: user.id,
            username: &user.username,
            display_name: &user.display_name,
            email: user.email.as_deref(),
            groups: &user.groups,
            admin: user.admin,
        },
        session: DescribedSession {
            id: session.id,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at(),
            authenticated_at: session.authenticated_at,
            methods: session.methods,
        },
    }
}
