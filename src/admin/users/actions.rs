//! What is done to a user as a whole: a new password, disabling, enabling, ending sessions, deletion.

use rocket::http::Status;
use rocket::{get, post};
use uuid::Uuid;

use super::pages::DeletePage;
use super::{HERE, Notice, answer, find, live_of, page_of, user_page};
use crate::account::{enrolment, lifecycle, reset};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::login::{NoFields, Sensitive};
use crate::people::app_tokens;
use crate::people::passwords::Password;
use crate::sessions::{self, Admin, CurrentSession, Which, listing};
use crate::web::{Answer, Failure, Refusal, Visit};

/// Makes a one-time password, which the answer shows; nobody can choose another's.
#[post("/admin/users/<id>/password", data = "<_form>")]
pub(super) async fn set_password(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let actor = Actor::user(&admin.0, visit.address);
    let password = Password::generate();
    match lifecycle::set_one_time_password(app, &actor, &user.username, &password).await? {
        Ok(user) => Ok(user_page(app, user, &current, Notice::Password(&password)).await?),
        Err(refused) => {
            Ok(user_page(app, user, &current, Notice::Error(refused.to_string())).await?)
        }
    }
}

#[post("/admin/users/<id>/disable", data = "<_form>")]
pub(super) async fn disable(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let outcome =
        lifecycle::disable(app, &Actor::user(&admin.0, visit.address), &user.username).await;
    answer(app, user, &current, outcome).await
}

#[post("/admin/users/<id>/enable", data = "<_form>")]
pub(super) async fn enable(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let outcome =
        lifecycle::enable(app, &Actor::user(&admin.0, visit.address), &user.username).await;
    answer(app, user, &current, outcome).await
}

/// Makes a link by which the user chooses a password, which the answer shows.
#[post("/admin/users/<id>/reset-link", data = "<_form>")]
pub(super) async fn reset_link(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let actor = Actor::user(&admin.0, visit.address);
    match reset::link_for(app, &actor, &user.username).await? {
        Ok(link) => Ok(user_page(app, user, &current, Notice::Link(link)).await?),
        Err(refused) => {
            Ok(user_page(app, user, &current, Notice::Error(refused.to_string())).await?)
        }
    }
}

/// Makes a code after which the user sets up a first factor, which the answer shows.
#[post("/admin/users/<id>/enrolment-code", data = "<_form>")]
pub(super) async fn enrolment_code(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let actor = Actor::user(&admin.0, visit.address);
    let notice = match enrolment::code_for(app, &actor, &user.username).await? {
        Ok(code) => Notice::Code(code),
        Err(refused) => Notice::Error(refused.to_string()),
    };
    Ok(user_page(app, user, &current, notice).await?)
}

/// For a user who has lost them; an admin removes one's own at /account/factors, with a proof.
#[post("/admin/users/<id>/reset-factors", data = "<_form>")]
pub(super) async fn reset_factors(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let actor = Actor::user(&admin.0, visit.address);
    let outcome = lifecycle::reset_factors(app, &actor, &user.username).await;
    answer(app, user, &current, outcome).await
}

#[post("/admin/users/<id>/revoke-sessions", data = "<_form>")]
pub(super) async fn revoke_sessions(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    sessions::revoke(
        app,
        &Actor::user(&admin.0, visit.address),
        Which::AllOf {
            user_id: user.id,
            keep: None,
        },
    )
    .await?;
    Ok(Answer::see_other(&page_of(&user)))
}

#[post("/admin/users/<id>/tokens/<token>/revoke", data = "<_form>")]
pub(super) async fn revoke_token(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    token: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let token = Uuid::try_parse(token).map_err(|_| Refusal::not_found())?;
    let actor = Actor::user(&admin.0, visit.address);
    if !app_tokens::revoke(app, &actor, token, Some(user.id)).await? {
        return Err(Refusal::not_found().into());
    }
    Ok(Answer::see_other(&page_of(&user)))
}

#[get("/admin/users/<id>/delete")]
pub(super) async fn delete_form(
    app: &App,
    _visit: Visit,
    admin: Admin,
    id: &str,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let sessions = listing::page(app, &live_of(&user)).await?.sessions.len();
    Ok(Answer::page(
        app,
        Status::Ok,
        &DeletePage { user, sessions },
        Some(&admin.0),
    )?)
}

#[post("/admin/users/<id>/delete", data = "<_form>")]
pub(super) async fn delete(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    match lifecycle::delete(app, &Actor::user(&admin.0, visit.address), &user.username).await? {
        Ok(_) => Ok(Answer::see_other(HERE)),
        Err(refused) => {
            Ok(user_page(app, user, &current, Notice::Error(refused.to_string())).await?)
        }
    }
}
