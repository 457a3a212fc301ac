//! A club's site: anyone may look in, members see more, and each member's visits are counted.
//!
//! Try it: `cargo run --example members`, then open <http://localhost:8000> and follow the set-up
//! link that was printed. The site's own pages are below; `/login`, `/logout`, `/account` and the
//! rest come with the fairing.

use rocket::response::Debug;
use rocket::{get, launch, routes};
use vestibule::{CurrentSession, CurrentUser, Error, Vestibule};

#[launch]
fn rocket() -> _ {
    rocket::build()
        .attach(Vestibule::fairing())
        .mount("/", routes![home, members, visits])
}

/// For anyone: whoever is signed in is greeted by name.
#[get("/")]
fn home(user: Option<CurrentUser>) -> String {
    match user {
        Some(user) => format!(
            "Welcome back, {}. /members is open to you.",
            user.shown_name()
        ),
        None => "Welcome. Members sign in at /login.".to_owned(),
    }
}

/// For members: a browser without a session is sent to sign in, and back here.
#[get("/members")]
fn members(user: CurrentUser) -> String {
    format!(
        "Hello, {}. Tonight's password for the bar is 'thirsty'.",
        user.shown_name()
    )
}

/// Counts in the session object, which is stored with the session: it outlives a restart of the
/// site, and ends with the session.
#[get("/visits")]
async fn visits(session: CurrentSession) -> Result<String, Debug<Error>> {
    let before: u32 = session.get("visits").await?.unwrap_or_default();
    let visits = before + 1;
    session.set("visits", &visits).await?;
    Ok(format!("You were here {visits} times since you signed in."))
}
