use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};
use serde::Serialize;
use uuid::Uuid;

use super::{Added, Changed, add, delete, rename};
use crate::account::enrolment;
use crate::account::factors::RecoveryCodesPage;
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::version::Version;
use crate::login::{NoFields, Sensitive, cookie_for, malformed_passkey};
use crate::people::passkeys::{self, MOST, NotKept, Passkey, Purpose, Refused, Unavailable};
use crate::sessions::{CurrentSession, Enroller};
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, Failure, Refusal, Visit, Visitor};

const HERE: &str = "/account/passkeys";
const FACTORS: &str = "/account/factors";

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![show, add_post, rename_post, delete_post]
}

#[get("/account/passkeys")]
async fn show(
    app: &App,
    _visit: Visit,
    visitor: Visitor,
    current: Enroller,
) -> Result<Answer, Failure> {
    if enrolment::is_due(app, &current.0).await? {
        return Ok(Answer::see_other(FACTORS));
    }
    answer(app, &visitor, &current.0, Status::Ok, None).await
}

#[derive(FromForm)]
struct AddForm {
    assertion: String,
}

#[post("/account/passkeys", data = "<form>")]
async fn add_post(
    app: &App,
    visit: Visit,
    visitor: Visitor,
    current: Enroller,
    form: Sensitive<AddForm>,
) -> Result<Answer, Failure> {
    let (Enroller(current), Sensitive(form)) = (current, form);
    if Unavailable::of(&app.settings).is_some() {
        return Err(Refusal::not_found().into());
    }
    if enrolment::is_due(app, &current).await? {
        return Ok(Answer::see_other(FACTORS));
    }
    let device = visit.device();
    let told = match add(app, &current, &visitor.hash(), &form.assertion, &device).await? {
        Ok(Added { token, codes }) => {
            let answer = if codes.is_empty() {
                Answer::see_other(HERE)
            } else {
                let page = RecoveryCodesPage::shown(app, codes, HERE);
                Answer::page(app, Status::Ok, &page, Some(&current.user))?
            };
            return Ok(answer.cookie(cookie_for(app, &token, &current.session)));
        }
        Err(NotKept::Refused(Refused::Malformed)) => {
            return Err(malformed_passkey().link(HERE, "Your passkeys").into());
        }
        Err(refused) => refused.text(),
    };
    answer(
        app,
        &visitor,
        &current,
        Status::UnprocessableEntity,
        Some(told),
    )
    .await
}

#[derive(FromForm)]
struct RenameForm {
    name: String,
    version: Option<Version>,
}

#[post("/account/passkeys/<id>/rename", data = "<form>")]
async fn rename_post(
    app: &App,
    visit: Visit,
    visitor: Visitor,
    current: Enroller,
    id: &str,
    form: Sensitive<RenameForm>,
) -> Result<Answer, Failure> {
    let Enroller(current) = current;
    let id = parse(id)?;
    let Sensitive(RenameForm { name, version }) = form;
    let Ok(name) = passkeys::checked_name(&name) else {
        let told = "A name is 1 to 64 characters, without control or invisible ones.";
        return answer(
            app,
            &visitor,
            &current,
            Status::UnprocessableEntity,
            Some(told),
        )
        .await;
    };
    let changed = rename(app, &current, id, &name, version.as_ref(), &visit.device()).await?;
    answer_change(app, &visitor, &current, changed).await
}

#[post("/account/passkeys/<id>/delete", data = "<_form>")]
async fn delete_post(
    app: &App,
    visit: Visit,
    visitor: Visitor,
    current: Enroller,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let Enroller(current) = current;
    let changed = delete(app, &current, parse(id)?, &visit.device()).await?;
    answer_change(app, &visitor, &current, changed).await
}

fn parse(id: &str) -> Result<Uuid, Refusal> {
    Uuid::try_parse(id).map_err(|_| Refusal::not_found())
}

async fn answer_change(
    app: &App,
    visitor: &Visitor,
    current: &CurrentSession,
    changed: Changed,
) -> Result<Answer, Failure> {
    match changed {
        Changed::Done => Ok(Answer::see_other(HERE)),
        Changed::Unknown => Err(Refusal::not_found().into()),
        Changed::Conflict(name) => {
            let told = format!(
                "It was renamed meanwhile: it is called {name} now. Nothing was changed; rename it again if you want to."
            );
            answer(app, visitor, current, Status::Conflict, Some(&told)).await
        }
        Changed::LastWayIn => {
            let told = "You could not sign in without this passkey: you have no password. Add another passkey first.";
            answer(app, visitor, current, Status::Conflict, Some(told)).await
        }
    }
}

async fn answer(
    app: &App,
    visitor: &Visitor,
    current: &CurrentSession,
    status: Status,
    error: Option<&str>,
) -> Result<Answer, Failure> {
    let user = &current.user;
    let own = passkeys::of_user(app, user.id).await?;
    let unavailable = Unavailable::of(&app.settings);
    let after = app.settings.sessions.reauthenticate_after;
    // Before it is made: a passkey that is refused then stays on the device, of no use.
    let confirmed = current.session.is_fresh(user, app.clock.now(), after);
    let full = own.len() >= MOST;
    let options = match unavailable {
        None if confirmed && !full => Some(
            passkeys::creation_options(
                app,
                &visitor.hash(),
                Purpose::Register(user.id),
                user.into(),
            )
            .await?,
        ),
        _ => None,
    };
    let page = PasskeysPage {
        passkeys: own
            .into_iter()
            .map(|own| PasskeyView::of(app, own))
            .collect(),
        unavailable: unavailable.map(|why| why.to_string()),
        confirmed,
        full,
        options,
        error: error.map(str::to_owned),
    };
    Ok(visitor.page(app, status, &page, Some(user))?)
}

#[derive(Serialize)]
pub struct PasskeysPage {
    passkeys: Vec<PasskeyView>,
    /// Why none can be made here.
    unavailable: Option<String>,
    /// The user was proven lately.
    confirmed: bool,
    full: bool,
    options: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct PasskeyView {
    id: Uuid,
    name: String,
    version: Version,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    synced: bool,
    /// The other host that it was made for.
    elsewhere: Option<String>,
}

impl PasskeyView {
    fn of(app: &App, passkey: Passkey) -> Self {
        let is_here = passkey.is_for(&app.settings);
        Self {
            id: passkey.id,
            version: passkey.version(),
            name: passkey.name,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
            synced: passkey.backed_up,
            elsewhere: (!is_here).then_some(passkey.rp_id),
        }
    }
}

impl Page for PasskeysPage {
    const TEMPLATE: Template = template!("account/passkeys.html");

    fn asks_for_passkey(&self) -> bool {
        self.options.is_some()
    }

    fn samples(text: &str) -> Vec<Self> {
        let at = Timestamp::parse("2026-03-01T08:15:00Z").expect("a time");
        let passkey = |number, used: bool| PasskeyView {
            id: Uuid::from_u128(number),
            name: text.to_owned(),
            version: Version::sample(text),
            created_at: at,
            last_used_at: used.then_some(at),
            synced: used,
            elsewhere: (!used).then(|| text.to_owned()),
        };
        let empty = || Self {
            passkeys: Vec::new(),
            unavailable: None,
            confirmed: true,
            full: false,
            options: None,
            error: None,
        };
        let text = || Some(text.to_owned());
        vec![
            Self {
                options: text(),
                ..empty()
            },
            Self {
                passkeys: vec![passkey(1, true), passkey(2, false)],
                confirmed: false,
                error: text(),
                ..empty()
            },
            Self {
                unavailable: text(),
                ..empty()
            },
            Self {
                passkeys: vec![passkey(1, true)],
                full: true,
                ..empty()
            },
        ]
    }
}
