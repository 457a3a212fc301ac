//! Addresses that an admin knows to be their users' own, many at once.

use rocket::{FromForm, post};
use uuid::Uuid;

use super::{HERE, users_page};
use crate::account::lifecycle;
use crate::admin::query::Paging;
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::version::Version;
use crate::login::Sensitive;
use crate::people::users::{self, Changes, Listed, Refused, User};
use crate::sessions::Admin;
use crate::web::{Answer, Failure, Refusal, Visit};

/// As many as the form of a page holds.
const MOST: usize = 150;

/// The users whose addresses a page would confirm, each as it was seen.
pub(super) fn unconfirmed<'a>(listed: impl IntoIterator<Item = &'a Listed>) -> Vec<String> {
    let is_unconfirmed = |user: &&User| user.email.is_some() && !user.email_verified;
    let users = listed.into_iter().map(|listed| &listed.user);
    let seen = |user: &User| format!("{}:{}", user.id, user.version());
    users.filter(is_unconfirmed).take(MOST).map(seen).collect()
}

#[derive(FromForm)]
pub(super) struct ConfirmForm {
    users: String,
}

#[post("/admin/users/confirm-addresses", data = "<form>")]
pub(super) async fn confirm(
    app: &App,
    visit: Visit,
    admin: Admin,
    form: Sensitive<ConfirmForm>,
) -> Result<Answer, Failure> {
    let Sensitive(form) = form;
    let actor = Actor::user(&admin.0, visit.address);
    let mut left = Vec::new();
    for seen in form.users.split_whitespace().take(MOST) {
        let (id, version) = read(seen).ok_or_else(Refusal::not_found)?;
        let Some(user) = users::by_id(app.db.reader(), id).await? else {
            continue;
        };
        let changes = Changes {
            email_verified: Some(true),
            made_from: Some(version),
            ..Changes::default()
        };
        match lifecycle::change(app, &actor, &user.username, changes).await? {
            Ok(_) => {}
            Err(Refused::Conflict(now)) => {
                left.push(format!("{} was changed meanwhile", now.username));
            }
            Err(refused) => left.push(format!("{}: {refused}", user.username)),
        }
    }
    if left.is_empty() {
        return Ok(Answer::see_other(HERE));
    }
    let error = format!("These addresses are not confirmed: {}", left.join("; "));
    let first = Paging::parse(HERE, None, None, None)?;
    users_page(app, &admin.0, &first, Some(error)).await
}

fn read(seen: &str) -> Option<(Uuid, Version)> {
    let (id, version) = seen.split_once(':')?;
    Some((id.parse().ok()?, version.to_owned().into()))
}
