//! A club's site: anyone may look in, members see more, and each member's visits are counted.
//!
//! Try it: `cargo run -p members`, then open <http://localhost:8000> and follow the set-up
//! link that was printed. The site's own pages are below; `/login`, `/logout`, `/account` and the
//! rest come with the fairing.

use rocket::response::Debug;
use rocket::{get, launch, post, routes};
use vestibule::{AnyOrigin, CurrentSession, CurrentUser, Error, Vestibule};

#[launch]
fn rocket() -> _ {
    rocket::build()
        .attach(Vestibule::fairing())
        .mount("/", routes![home, members, visits, forget_visits, hello])
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

/// A change: the guard lets it through only from a page of this site, whatever form stands elsewhere.
#[post("/visits/forget")]
async fn forget_visits(session: CurrentSession) -> Result<&'static str, Debug<Error>> {
    session.remove("visits").await?;
    Ok("Forgotten.")
}

/// For pages of other sites too, whose forms browsers send with the member's cookie: such a route
/// changes nothing that matters, or looks by itself at who sent the form.
#[post("/hello")]
fn hello(user: AnyOrigin<CurrentUser>) -> String {
    format!("Hello from wherever you are, {}.", user.shown_name())
}
