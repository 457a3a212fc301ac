//! Pages of ours that come before the one that somebody is on the way to.

use crate::foundation::app::App;
use crate::people::users::User;
use crate::sessions::Session;
use crate::web::with_query;

/// What the page that somebody is on the way to asks for beyond a session.
#[derive(Clone, Copy, Default)]
pub struct Wanted {
    pub two: bool,
    /// A proof of just now.
    pub fresh: bool,
}

/// A page of ours that comes before the one that somebody is on the way to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interstitial {
    Password,
    Proof,
    Enrolment,
}

/// What comes first. Whoever has a second factor proves it before anything else.
pub fn comes_first(
    app: &App,
    session: &Session,
    user: &User,
    wanted: Wanted,
) -> Option<Interstitial> {
    let required = &app.settings.second_factor.required;
    let lacks_two = session.lacks_second_factor(user, required)
        || wanted.two && !session.methods.is_two_factor();
    if lacks_two && user.has_second_factor() {
        Some(Interstitial::Proof)
    } else if user.must_change_password {
        Some(Interstitial::Password)
    } else if lacks_two {
        Some(Interstitial::Enrolment)
    } else {
        wanted.fresh.then_some(Interstitial::Proof)
    }
}

impl Interstitial {
    /// The way there, which goes on from there.
    pub fn way(self, rd: Option<&str>, flow: Option<&str>) -> String {
        let way = [("rd", rd), ("flow", flow)];
        let path = match self {
            Self::Password => return with_query("/account/password", &way),
            Self::Proof => "/reauthenticate",
            Self::Enrolment => "/account/factors",
        };
        with_query(path, &[("rd", Some(&with_query("/login", &way)))])
    }
}
