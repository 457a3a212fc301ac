//! What browsers suggest, and lists offer, in the forms of sites.

use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::people::users;
use crate::sites::rules::{Fallback, Who};

/// What may stand in the fields of forms, as far as it is known.
#[derive(Default, Serialize)]
pub struct Suggestions {
    /// What may hold where no rule does.
    defaults: Vec<String>,
    /// Whom a rule may be for.
    who: Vec<String>,
    users: Vec<String>,
}

/// Of each kind: more than people look through, too few to make a page slow.
const MOST_SUGGESTED: u32 = 200;

impl Suggestions {
    pub async fn read(app: &App) -> Result<Self, Error> {
        let users = users::some_usernames(app.db.reader(), MOST_SUGGESTED).await?;
        let groups = users::some_groups(app.db.reader(), MOST_SUGGESTED).await?;
        Ok(Self::of(users, &groups))
    }

    fn of(users: Vec<String>, groups: &[String]) -> Self {
        let of_groups = || groups.iter().cloned().map(Who::Group);
        let of_users = users.iter().cloned().map(Who::User);
        let defaults = [Fallback::SignedIn, Fallback::Public, Fallback::Deny].into_iter();
        let defaults = defaults.chain(groups.iter().cloned().map(Fallback::Group));
        let who = [Who::Anyone, Who::SignedIn].into_iter();
        let who = who.chain(of_groups()).chain(of_users);
        Self {
            defaults: defaults.map(|default| default.to_string()).collect(),
            who: who.map(|who| who.to_string()).collect(),
            users,
        }
    }

    /// For the test that renders every page.
    pub fn sample(text: &str) -> Self {
        Self::of(vec![text.to_owned()], &[text.to_owned()])
    }
}
