//! Users: who there is, what they may, and the end of it.

use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};
use serde::Serialize;
use uuid::Uuid;

use super::query::{self, address};
use crate::app::App;
use crate::audit::{self, Actor, Filter};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::http::{Answer, Failure, Refusal, Visit};
use crate::login::Sensitive;
use crate::pages::Page;
use crate::passwords::Password;
use crate::sessions::listing::{self, MAX_LIMIT, Query, Sort, State};
use crate::sessions::shown::Shown;
use crate::sessions::{self, Admin, CurrentSession, Which};
use crate::users::{self, Changes, Listed, NewUser, Outcome, User};

const HERE: &str = "/admin/users";

/// As many as fit beside the rest of a user's page.
const RECORDS_SHOWN: u32 = 20;

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![
        list,
        create_form,
        create,
        show,
        change,
        set_password,
        disable,
        enable,
        revoke_sessions,
        delete_form,
        delete
    ]
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
    let limit = query::limit(limit, MAX_LIMIT)?;
    let q = q.unwrap_or_default().trim();
    let after = after.unwrap_or_default();
    let mut found = users::search(app, q, after, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let limit_text = if limit == query::DEFAULT_LIMIT {
        String::new()
    } else {
        limit.to_string()
    };
    let link = |after: &str| address(HERE, &[("q", q), ("after", after), ("limit", &limit_text)]);
    let page = UsersPage {
        more: found
            .last()
            .filter(|_| more)
            .map(|last| link(&last.user.username)),
        first: (!after.is_empty()).then(|| link("")),
        users: found.into_iter().map(ShownUser::from).collect(),
        q: q.to_owned(),
    };
    Ok(Answer::page(app, Status::Ok, &page, Some(&admin))?)
}

#[get("/admin/users/new")]
fn create_form(app: &App, _visit: Visit, admin: Admin) -> Result<Answer, Failure> {
    Ok(Answer::page(
        app,
        Status::Ok,
        &NewUserPage::default(),
        Some(&admin),
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
        form: ShownForm {
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
    match users::create(app, &Actor::user(&admin, visit.address), new, &password).await? {
        Ok(user) => Ok(user_page(app, user, &current, Told::Password(&password)).await?),
        Err(refused) => {
            let page = NewUserPage {
                error: Some(refused.to_string()),
                ..again
            };
            Ok(Answer::page(
                app,
                Status::UnprocessableEntity,
                &page,
                Some(&admin),
            )?)
        }
    }
}

#[get("/admin/users/<id>", rank = 2)]
async fn show(
    app: &App,
    _visit: Visit,
    _admin: Admin,
    current: CurrentSession,
    id: &str,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    Ok(user_page(app, user, &current, Told::Nothing).await?)
}

#[derive(FromForm)]
struct UserForm {
    display_name: String,
    email: String,
    groups: String,
    admin: Option<String>,
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
    let groups = group_names(&form.groups);
    let changes = Changes {
        display_name: Some(form.display_name),
        email: Some(form.email),
        admin: Some(form.admin.as_deref() == Some("on")),
        must_change_password: None,
        remove_groups: user
            .groups
            .iter()
            .filter(|group| !groups.contains(group))
            .cloned()
            .collect(),
        add_groups: groups,
    };
    let outcome = users::change(
        app,
        &Actor::user(&admin, visit.address),
        &user.username,
        changes,
    )
    .await;
    answer(app, user, &current, outcome).await
}

#[derive(FromForm)]
struct NoFields {
    /// Nothing is asked for; a form has a field at least.
    #[field(name = "rd")]
    _rd: Option<String>,
}

/// Makes a one-time password, which the answer shows; nobody can choose another's.
#[post("/admin/users/<id>/password", data = "<_form>")]
async fn set_password(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let actor = Actor::user(&admin, visit.address);
    let password = Password::generate();
    match users::set_one_time_password(app, &actor, &user.username, &password).await? {
        Ok(user) => Ok(user_page(app, user, &current, Told::Password(&password)).await?),
        Err(refused) => Ok(user_page(app, user, &current, Told::Error(refused.to_string())).await?),
    }
}

#[post("/admin/users/<id>/disable", data = "<_form>")]
async fn disable(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let outcome = users::disable(app, &Actor::user(&admin, visit.address), &user.username).await;
    answer(app, user, &current, outcome).await
}

#[post("/admin/users/<id>/enable", data = "<_form>")]
async fn enable(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let outcome = users::enable(app, &Actor::user(&admin, visit.address), &user.username).await;
    answer(app, user, &current, outcome).await
}

#[post("/admin/users/<id>/revoke-sessions", data = "<_form>")]
async fn revoke_sessions(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    sessions::revoke(
        app,
        &Actor::user(&admin, visit.address),
        Which::AllOf {
            user_id: user.id,
            keep: None,
        },
    )
    .await?;
    Ok(Answer::see_other(&page_of(&user)))
}

#[get("/admin/users/<id>/delete")]
async fn delete_form(app: &App, _visit: Visit, admin: Admin, id: &str) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    let sessions = listing::page(app, &live_of(&user)).await?.sessions.len();
    Ok(Answer::page(
        app,
        Status::Ok,
        &DeletePage { user, sessions },
        Some(&admin),
    )?)
}

#[post("/admin/users/<id>/delete", data = "<_form>")]
async fn delete(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let user = find(app, id).await?;
    match users::delete(app, &Actor::user(&admin, visit.address), &user.username).await? {
        Ok(_) => Ok(Answer::see_other(HERE)),
        Err(refused) => Ok(user_page(app, user, &current, Told::Error(refused.to_string())).await?),
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
        Err(refused) => Ok(user_page(app, user, current, Told::Error(refused.to_string())).await?),
    }
}

fn page_of(user: &User) -> String {
    format!("{HERE}/{}", user.id)
}

fn group_names(text: &str) -> Vec<String> {
    text.split([',', ' '])
        .filter(|name| !name.is_empty())
        .map(str::to_ascii_lowercase)
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
enum Told<'a> {
    Nothing,
    Error(String),
    Password(&'a Password),
}

async fn user_page(
    app: &App,
    user: User,
    current: &CurrentSession,
    told: Told<'_>,
) -> Result<Answer, Error> {
    let sessions = listing::page(app, &live_of(&user)).await?.sessions;
    let filter = Filter {
        username: Some(user.username.clone()),
        limit: RECORDS_SHOWN,
        ..Filter::default()
    };
    let records = audit::list(app.db.reader(), &filter).await?;
    let (status, error, password) = match told {
        Told::Nothing => (Status::Ok, None, None),
        Told::Error(error) => (Status::UnprocessableEntity, Some(error), None),
        Told::Password(password) => (Status::Ok, None, Some(password.reveal().to_owned())),
    };
    let page = UserPage {
        error,
        password,
        own: user.id == current.user.id,
        sessions: sessions
            .into_iter()
            .map(|found| Shown::new(found, current.session.id))
            .collect(),
        records: records.into_iter().map(audit::Shown::from).collect(),
        rd: page_of(&user),
        user: UserFacts::from(user),
    };
    Answer::page(app, status, &page, Some(&current.user))
}

#[derive(Serialize)]
pub struct UsersPage {
    q: String,
    users: Vec<ShownUser>,
    more: Option<String>,
    first: Option<String>,
}

#[derive(Serialize)]
struct ShownUser {
    #[serde(flatten)]
    user: User,
    disabled: bool,
    live_sessions: i64,
}

impl From<Listed> for ShownUser {
    fn from(listed: Listed) -> Self {
        Self {
            disabled: listed.user.disabled_at.is_some(),
            live_sessions: listed.live_sessions,
            user: listed.user,
        }
    }
}

impl Page for UsersPage {
    const TEMPLATE: &'static str = "admin/users.html";

    fn samples(text: &str) -> Vec<Self> {
        let user = || ShownUser {
            user: User::sample(text),
            disabled: true,
            live_sessions: 2,
        };
        let page = |users, place: Option<&str>| Self {
            q: text.to_owned(),
            users,
            more: place.map(str::to_owned),
            first: place.map(str::to_owned),
        };
        vec![page(Vec::new(), None), page(vec![user()], Some(text))]
    }
}

#[derive(Default, Serialize)]
pub struct NewUserPage {
    error: Option<String>,
    form: ShownForm,
}

#[derive(Default, Serialize)]
struct ShownForm {
    username: String,
    display_name: String,
    email: String,
    groups: String,
    admin: bool,
}

impl Page for NewUserPage {
    const TEMPLATE: &'static str = "admin/user_new.html";

    fn samples(text: &str) -> Vec<Self> {
        let form = ShownForm {
            username: text.to_owned(),
            display_name: text.to_owned(),
            email: text.to_owned(),
            groups: text.to_owned(),
            admin: true,
        };
        vec![
            Self::default(),
            Self {
                error: Some(text.to_owned()),
                form,
            },
        ]
    }
}

#[derive(Serialize)]
pub struct UserPage {
    user: UserFacts,
    error: Option<String>,
    /// Shown this once.
    password: Option<String>,
    own: bool,
    sessions: Vec<Shown>,
    records: Vec<audit::Shown>,
    /// The address of this page, to come back to.
    rd: String,
}

#[derive(Serialize)]
struct UserFacts {
    #[serde(flatten)]
    user: User,
    groups_text: String,
    disabled_text: String,
    created_text: String,
}

impl From<User> for UserFacts {
    fn from(user: User) -> Self {
        Self {
            groups_text: user.groups.join(", "),
            disabled_text: user
                .disabled_at
                .map(Timestamp::for_people)
                .unwrap_or_default(),
            created_text: user.created_at.for_people(),
            user,
        }
    }
}

impl Page for UserPage {
    const TEMPLATE: &'static str = "admin/user.html";

    fn samples(text: &str) -> Vec<Self> {
        let page = |disabled_at, told: Option<&str>| Self {
            user: UserFacts::from(User {
                disabled_at,
                ..User::sample(text)
            }),
            error: told.map(str::to_owned),
            password: told.map(str::to_owned),
            own: told.is_some(),
            sessions: Shown::samples(text),
            records: audit::Shown::samples(text),
            rd: text.to_owned(),
        };
        vec![
            page(None, None),
            page(Some(Timestamp::from_micros(0)), Some(text)),
        ]
    }
}

#[derive(Serialize)]
pub struct DeletePage {
    user: User,
    sessions: usize,
}

impl Page for DeletePage {
    const TEMPLATE: &'static str = "admin/user_delete.html";

    fn samples(text: &str) -> Vec<Self> {
        vec![Self {
            user: User::sample(text),
            sessions: 2,
        }]
    }
}
