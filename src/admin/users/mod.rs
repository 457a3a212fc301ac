//! Users: who there is, what they may, and the end of it.

mod actions;
mod addresses;
mod pages;

use rocket::http::Status;
use rocket::{FromForm, get, post, routes};
use uuid::Uuid;

use crate::account::lifecycle;
use crate::admin::conflict::ConflictPage;
use crate::admin::query::Paging;
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Filter, Subject};
use crate::foundation::error::Error;
use crate::foundation::version::Version;
use crate::login::Sensitive;
use crate::people::approvals;
use crate::people::passwords::Password;
use crate::people::users::{self, Changes, NewUser, Outcome, Refused, User};
use crate::sessions::listing::{self, MAX_LIMIT, Query, Sort, State};
use crate::sessions::view::SessionView;
use crate::sessions::{Admin, CurrentSession};
use crate::sites::tokens::TokenView;
use crate::web::pages::PageKind;
use crate::web::{Answer, Failure, Refusal, Slice, Visit};

use pages::{DeletePage, NewUserPage, UserPage, UsersPage};
use pages::{NewUserValues, UserFacts, UserView};

const HERE: &str = "/admin/users";

/// As many as fit beside the rest of a user's page.
const RECORDS_SHOWN: u32 = 20;

#[must_use]
pub fn slice() -> Slice {
    let routes = routes![
        list,
        create_form,
        create,
        show,
        change,
        addresses::confirm,
        actions::set_password,
        actions::disable,
        actions::enable,
        actions::reset_factors,
        actions::reset_link,
        actions::enrolment_code,
        actions::revoke_sessions,
        actions::revoke_token,
        actions::delete_form,
        actions::delete
    ];
    Slice::new(
        routes,
        vec![
            PageKind::of::<UsersPage>(),
            PageKind::of::<NewUserPage>(),
            PageKind::of::<UserPage>(),
            PageKind::of::<DeletePage>(),
        ],
    )
}

#[get("/admin/users?<q>&<after>&<limit>")]
async fn list(
    app: &App,
    _visit: Visit,
    admin: Admin,
    q: Option<&str>,
    after: Option<&str>,
    limit: Option<&str>,
) -> Result<Answer, Failure> {
    let paging = Paging::parse(HERE, q, after, limit)?;
    users_page(app, &admin.0, &paging, None).await
}

async fn users_page(
    app: &App,
    admin: &User,
    paging: &Paging<'_>,
    error: Option<String>,
) -> Result<Answer, Failure> {
    let mut found = users::search(app, paging.q, paging.after, paging.wanted()).await?;
    let status = match error {
        Some(_) => Status::Conflict,
        None => Status::Ok,
    };
    let page = UsersPage {
        error,
        pager: paging.cut(&mut found, |last| last.user.username.clone()),
        unconfirmed: addresses::unconfirmed(&found),
        users: found.into_iter().map(UserView::from).collect(),
        waiting: approvals::list(app).await?,
        q: paging.q.to_owned(),
    };
    Ok(Answer::page(app, status, &page, Some(admin))?)
}

#[get("/admin/users/new")]
fn create_form(app: &App, _visit: Visit, admin: Admin) -> Result<Answer, Failure> {
    Ok(Answer::page(
        app,
        Status::Ok,
        &NewUserPage::default(),
        Some(&admin.0),
    )?)
}

#[derive(FromForm)]
struct NewUserForm {
    username: String,
    display_name: String,
    email: String,
    groups: String,
    admin: Option<String>,
}

/// Makes the user with a one-time password, which the answer shows.
#[post("/admin/users/new", data = "<form>")]
async fn create(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    form: Sensitive<NewUserForm>,
) -> Result<Answer, Failure> {
    let Sensitive(form) = form;
    let again = NewUserPage {
        error: None,
        form: NewUserValues {
            username: form.username.clone(),
            display_name: form.display_name.clone(),
            email: form.email.clone(),
            groups: form.groups.clone(),
            admin: form.admin.is_some(),
        },
    };
    let new = NewUser {
        username: form.username,
        display_name: Some(form.display_name),
        email: Some(form.email),
        admin: form.admin.as_deref() == Some("on"),
        groups: group_names(&form.groups),
        must_change_password: true,
    };
    let password = Password::generate();
    match users::create(app, &Actor::user(&admin.0, visit.address), new, &password).await? {
        Ok(user) => Ok(user_page(app, user, &current, Notice::Password(&password)).await?),
        Err(refused) => {
            let page = NewUserPage {
                error: Some(refused.to_string()),
                ..again
            };
            Ok(Answer::page(
                app,
                Status::UnprocessableEntity,
                &page,
                Some(&admin.0),
            )?)
        }
    }
}

/// Of a user who was deleted, what is left: the audit records.
#[get("/admin/users/<id>", rank = 2)]
async fn show(
    app: &App,
    _visit: Visit,
    _admin: Admin,
    current: CurrentSession,
    id: &str,
) -> Result<Answer, Failure> {
    let id = Uuid::try_parse(id).map_err(|_| Refusal::not_found())?;
    if let Some(former) = users::former_by_id(app.db.reader(), id).await? {
        let records = format!("/admin/audit?user={}", former.id);
        return Ok(Answer::see_other(&records));
    }
    let user = find(app, &id.to_string()).await?;
    Ok(user_page(app, user, &current, Notice::Nothing).await?)
}

#[derive(FromForm)]
struct UserForm {
    display_name: String,
    email: String,
    groups: String,
    admin: Option<String>,
    version: Option<Version>,
}

#[post("/admin/users/<id>", data = "<form>", rank = 2)]
async fn change(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    form: Sensitive<UserForm>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let Sensitive(form) = form;
    let changes = Changes {
        display_name: Some(form.display_name.clone()),
        email: Some(form.email.clone()),
        admin: Some(form.makes_admin()),
        groups: Some(group_names(&form.groups)),
        made_from: form.version.clone(),
        ..Changes::default()
    };
    let actor = Actor::user(&admin.0, visit.address);
    match lifecycle::change(app, &actor, &user.username, changes).await? {
        Err(Refused::Conflict(now)) => Ok(form.conflict(&now).answer(app, &admin.0)?),
        outcome => answer(app, user, &current, Ok(outcome)).await,
    }
}

impl UserForm {
    fn makes_admin(&self) -> bool {
        self.admin.as_deref() == Some("on")
    }

    fn conflict(&self, now: &User) -> ConflictPage {
        let yes = |is: bool| if is { "Yes" } else { "No" };
        let email = now.email.as_deref().unwrap_or_default();
        let mut groups = group_names(&self.groups);
        groups.sort();
        let page = ConflictPage::new(now.shown_name(), page_of(now), now.version())
            .compare("Display name", &now.display_name, &self.display_name)
            .compare("Email", email, &self.email)
            .compare_lists("Groups", now.groups.clone(), groups)
            .compare("Admin", yes(now.admin), yes(self.makes_admin()))
            .field("display_name", &self.display_name)
            .field("email", &self.email)
            .field("groups", &self.groups);
        if self.makes_admin() {
            page.field("admin", "on")
        } else {
            page
        }
    }
}

async fn find(app: &App, id: &str) -> Result<User, Failure> {
    let id = Uuid::try_parse(id).map_err(|_| Refusal::not_found())?;
    Ok(users::by_id(app.db.reader(), id)
        .await?
        .ok_or_else(Refusal::not_found)?)
}

/// Back to the user's page, or the page with what was refused.
async fn answer(
    app: &App,
    user: User,
    current: &CurrentSession,
    outcome: Outcome<User>,
) -> Result<Answer, Failure> {
    match outcome? {
        Ok(user) => Ok(Answer::see_other(&page_of(&user))),
        Err(refused) => {
            Ok(user_page(app, user, current, Notice::Error(refused.to_string())).await?)
        }
    }
}

fn page_of(user: &User) -> String {
    format!("{HERE}/{}", user.id)
}

pub(super) fn group_names(text: &str) -> Vec<String> {
    text.split([',', ' '])
        .map(users::canonical_name)
        .filter(|name| !name.is_empty())
        .collect()
}

fn live_of(user: &User) -> Query {
    Query {
        q: String::new(),
        user_id: Some(user.id),
        state: State::Live,
        sort: Sort::LastSeen,
        after: None,
        limit: MAX_LIMIT,
    }
}

/// What a user's page says of what was just done.
enum Notice<'a> {
    Nothing,
    Error(String),
    Password(&'a Password),
    /// By which the user chooses one.
    Link(String),
    /// After which the user sets up a first factor.
    Code(String),
}

async fn user_page(
    app: &App,
    user: User,
    current: &CurrentSession,
    notice: Notice<'_>,
) -> Result<Answer, Error> {
    let sessions = listing::page(app, &live_of(&user)).await?.sessions;
    let filter = Filter {
        subject: Some(Subject::Id(user.id)),
        limit: RECORDS_SHOWN,
        ..Filter::default()
    };
    let records = audit::list(app.db.reader(), &filter).await?;
    let (mut error, mut password, mut link, mut code) = (None, None, None, None);
    match notice {
        Notice::Nothing => {}
        Notice::Error(text) => error = Some(text),
        Notice::Password(made) => password = Some(made.reveal().to_owned()),
        Notice::Link(made) => link = Some(made),
        Notice::Code(made) => code = Some(made),
    }
    let status = match error {
        Some(_) => Status::UnprocessableEntity,
        None => Status::Ok,
    };
    let page = UserPage {
        error,
        password,
        link,
        code,
        takes_code: app.settings.mail.is_on() && !user.has_second_factor(),
        own: user.id == current.user.id,
        sessions: sessions
            .into_iter()
            .map(|found| SessionView::new(found, current.session.id))
            .collect(),
        records: records.into_iter().map(audit::EntryView::from).collect(),
        tokens: TokenView::of_user(app, user.id).await?,
        rd: page_of(&user),
        user: UserFacts::from(user),
    };
    Answer::page(app, status, &page, Some(&current.user))
}
