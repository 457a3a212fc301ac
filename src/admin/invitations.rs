//! Invitations: made, shown once as a link and a picture of it, listed, revoked.

use rocket::http::Status;
use rocket::{FromForm, get, post, routes};
use serde::Serialize;
use uuid::Uuid;

use super::users::group_names;
use crate::account::joining::{invite, link_to};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::token::Token;
use crate::login::{NoFields, Sensitive};
use crate::people::invitations::{self, Invitation, LIFETIME, NewInvitation, Refused};
use crate::people::totp::QrCode;
use crate::people::users::{self, User};
use crate::sessions::Admin;
use crate::web::pages::{Page, PageKind, Template, template};
use crate::web::{Answer, Failure, Refusal, Slice, Visit};

const HERE: &str = "/admin/invitations";

/// As many as a form can offer.
const GROUPS_OFFERED: u32 = 100;

#[must_use]
pub fn slice() -> Slice {
    let pages = vec![
        PageKind::of::<InvitationsPage>(),
        PageKind::of::<InvitationPage>(),
    ];
    Slice::new(routes![list, add, revoke], pages)
}

#[get("/admin/invitations")]
async fn list(app: &App, _visit: Visit, admin: Admin) -> Result<Answer, Failure> {
    list_page(app, &admin.0, AddForm::default(), None).await
}

#[derive(Clone, Default, FromForm, Serialize)]
struct AddForm {
    /// Of the invitation that is made, so that a form that is sent twice makes one.
    id: Option<String>,
    email: Option<String>,
    groups: Option<String>,
    uses: Option<String>,
    /// Like 7d.
    expires: Option<String>,
}

/// The answer to this very form shows the link, and nothing after it.
#[post("/admin/invitations", data = "<form>")]
async fn add(
    app: &App,
    visit: Visit,
    admin: Admin,
    form: Sensitive<AddForm>,
) -> Result<Answer, Failure> {
    let Sensitive(form) = form;
    let new = match form.wish() {
        Ok(new) => new,
        Err(refused) => return list_page(app, &admin.0, form, Some(refused.to_string())).await,
    };
    let (actor, token) = (Actor::user(&admin.0, visit.address), Token::generate());
    match invite(app, &actor, Some(&admin.0), new, &token).await? {
        Ok(invitation) => {
            let link = link_to(app, &token);
            let page = InvitationPage {
                qr: QrCode::of(&link),
                mailed: invitation.email.is_some() && app.settings.mail.is_on(),
                link,
                invitation,
            };
            Ok(Answer::page(app, Status::Ok, &page, Some(&admin.0))?)
        }
        Err(Refused::Again) => Ok(Answer::see_other(HERE)),
        Err(refused) => list_page(app, &admin.0, form, Some(refused.to_string())).await,
    }
}

impl AddForm {
    /// # Errors
    /// A number or a time is none.
    fn wish(&self) -> Result<NewInvitation, Refused> {
        let given = |field: &Option<String>| {
            let text = field.as_deref().unwrap_or_default().trim().to_owned();
            Some(text).filter(|text| !text.is_empty())
        };
        let id = given(&self.id).and_then(|id| Uuid::try_parse(&id).ok());
        let uses = given(&self.uses).map_or(Ok(1), |uses| uses.parse());
        let lifetime = given(&self.expires).map(|text| humantime::parse_duration(&text));
        Ok(NewInvitation {
            id: id.unwrap_or_else(Uuid::now_v7),
            email: given(&self.email),
            groups: group_names(self.groups.as_deref().unwrap_or_default()),
            uses: uses.map_err(|_| Refused::Uses)?,
            lifetime: lifetime
                .unwrap_or(Ok(LIFETIME))
                .map_err(|_| Refused::Lifetime)?,
        })
    }
}

async fn list_page(
    app: &App,
    admin: &User,
    form: AddForm,
    error: Option<String>,
) -> Result<Answer, Failure> {
    let status = match error {
        Some(_) => Status::UnprocessableEntity,
        None => Status::Ok,
    };
    let page = InvitationsPage {
        invitations: invitations::list(app).await?,
        groups: users::some_groups(app.db.reader(), GROUPS_OFFERED).await?,
        new_id: Uuid::now_v7(),
        form,
        error,
    };
    Ok(Answer::page(app, status, &page, Some(admin))?)
}

#[post("/admin/invitations/<id>/revoke", data = "<_form>")]
async fn revoke(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let unknown = || Refusal::not_found().link(HERE, "All invitations");
    let id = Uuid::try_parse(id).map_err(|_| unknown())?;
    let actor = Actor::user(&admin.0, visit.address);
    if !invitations::revoke(app, &actor, id).await? {
        return Err(unknown().into());
    }
    Ok(Answer::see_other(HERE))
}

#[derive(Serialize)]
pub struct InvitationsPage {
    invitations: Vec<Invitation>,
    /// What the form suggests.
    groups: Vec<String>,
    new_id: Uuid,
    form: AddForm,
    error: Option<String>,
}

impl Page for InvitationsPage {
    const TEMPLATE: Template = template!("admin/invitations.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |invitations, field: Option<String>| Self {
            invitations,
            groups: field.clone().into_iter().collect(),
            new_id: Uuid::nil(),
            form: AddForm {
                id: None,
                email: field.clone(),
                groups: field.clone(),
                uses: field.clone(),
                expires: field.clone(),
            },
            error: field,
        };
        let to_nobody = Invitation {
            email: None,
            groups: Vec::new(),
            ..Invitation::sample(text)
        };
        vec![
            page(Vec::new(), None),
            page(
                vec![Invitation::sample(text), to_nobody],
                Some(text.to_owned()),
            ),
        ]
    }
}

#[derive(Serialize)]
pub struct InvitationPage {
    invitation: Invitation,
    /// Shown this once.
    link: String,
    qr: Option<QrCode>,
    /// It goes to the address by mail, too.
    mailed: bool,
}

impl Page for InvitationPage {
    const TEMPLATE: Template = template!("admin/invitation.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |mailed| Self {
            invitation: Invitation::sample(text),
            link: text.to_owned(),
            qr: Some(QrCode::sample()),
            mailed,
        };
        vec![page(false), page(true)]
    }
}
