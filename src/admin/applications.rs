//! Applications that speak OpenID Connect: added, shown, given a new secret, removed.

use rocket::http::Status;
use rocket::{FromForm, get, post, routes};
use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::login::{NoFields, Sensitive};
use crate::oidc::clients::{self, Client};
use crate::oidc::issuer;
use crate::oidc::templates::{self, TEMPLATES};
use crate::people::users::User;
use crate::sessions::Admin;
use crate::web::pages::{Page, PageKind, Template, template};
use crate::web::{Answer, Failure, Refusal, Slice, Visit};

const HERE: &str = "/admin/applications";

#[must_use]
pub fn slice() -> Slice {
    let pages = vec![
        PageKind::of::<ApplicationsPage>(),
        PageKind::of::<ApplicationPage>(),
    ];
    Slice::new(routes![list, add, show, rotate_secret, remove], pages)
}

/// An application as pages show it.
#[derive(Clone, Serialize)]
struct Shown {
    id: String,
    name: String,
    public: bool,
    redirect_uris: Vec<String>,
    sign_out_uris: Vec<String>,
    back_channel_uri: Option<String>,
    groups: Vec<String>,
    claims: Vec<String>,
    consent: &'static str,
    two_factors: bool,
    pkce: bool,
    offline_access: bool,
}

impl Shown {
    fn of(client: Client) -> Self {
        Self {
            public: client.is_public(),
            id: client.id,
            name: client.name,
            redirect_uris: client.redirect_uris,
            sign_out_uris: client.sign_out_uris,
            back_channel_uri: client.back_channel_uri,
            groups: client.groups,
            claims: client.claims.iter().map(ToString::to_string).collect(),
            consent: client.consent.as_str(),
            two_factors: client.two_factors,
            pkce: client.pkce,
            offline_access: client.offline_access,
        }
    }

    fn sample(text: &str) -> Self {
        let some = vec![text.to_owned()];
        Self {
            id: text.to_owned(),
            name: text.to_owned(),
            public: false,
            redirect_uris: some.clone(),
            sign_out_uris: some.clone(),
            back_channel_uri: Some(text.to_owned()),
            groups: some.clone(),
            claims: some,
            consent: "never",
            two_factors: true,
            pkce: true,
            offline_access: true,
        }
    }
}

#[derive(Serialize)]
pub struct ApplicationsPage {
    applications: Vec<Shown>,
    error: Option<String>,
    /// Names and titles.
    templates: Vec<(&'static str, &'static str)>,
    name: String,
    redirect_uri: String,
    template: String,
    url: String,
}

impl Page for ApplicationsPage {
    const TEMPLATE: Template = template!("admin/applications.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |applications, error| Self {
            applications,
            error,
            templates: known(),
            name: text.to_owned(),
            redirect_uri: text.to_owned(),
            template: text.to_owned(),
            url: text.to_owned(),
        };
        vec![
            page(Vec::new(), None),
            page(vec![Shown::sample(text)], Some(text.to_owned())),
        ]
    }
}

#[derive(Serialize)]
pub struct ApplicationPage {
    application: Shown,
    issuer: String,
    /// Shown once.
    secret: Option<String>,
    /// The application's own settings with that secret, and where they are.
    settings: Option<(&'static str, String)>,
}

impl Page for ApplicationPage {
    const TEMPLATE: Template = template!("admin/application.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |secret, settings| Self {
            application: Shown::sample(text),
            issuer: text.to_owned(),
            secret,
            settings,
        };
        let secret = || Some(text.to_owned());
        vec![
            page(None, None),
            page(secret(), None),
            page(secret(), Some(("grafana.ini", text.to_owned()))),
        ]
    }
}

async fn list_page(
    app: &App,
    admin: &User,
    form: AddForm,
    error: Option<String>,
) -> Result<Answer, Failure> {
    let status = if error.is_some() {
        Status::UnprocessableEntity
    } else {
        Status::Ok
    };
    let page = ApplicationsPage {
        applications: clients::list(app)
            .await?
            .into_iter()
            .map(Shown::of)
            .collect(),
        error,
        templates: known(),
        name: form.name,
        redirect_uri: form.redirect_uri.unwrap_or_default(),
        template: form.template.unwrap_or_default(),
        url: form.url.unwrap_or_default(),
    };
    Ok(Answer::page(app, status, &page, Some(admin))?)
}

fn page_of(
    app: &App,
    admin: &User,
    client: Client,
    secret: Option<String>,
    settings: Option<(&'static str, String)>,
) -> Result<Answer, Failure> {
    let page = ApplicationPage {
        application: Shown::of(client),
        issuer: issuer(app),
        secret,
        settings,
    };
    Ok(Answer::page(app, Status::Ok, &page, Some(admin))?)
}

async fn find(app: &App, id: &str) -> Result<Client, Failure> {
    let found = clients::by_id(app, id).await?;
    found.ok_or_else(|| Refusal::not_found().link(HERE, "All applications").into())
}

#[get("/admin/applications")]
async fn list(app: &App, _visit: Visit, admin: Admin) -> Result<Answer, Failure> {
    list_page(app, &admin.0, AddForm::default(), None).await
}

#[derive(Default, FromForm)]
struct AddForm {
    name: String,
    redirect_uri: Option<String>,
    template: Option<String>,
    url: Option<String>,
    public: Option<String>,
}

fn known() -> Vec<(&'static str, &'static str)> {
    let names = |template: &templates::Template| (template.name, template.title);
    TEMPLATES.iter().map(names).collect()
}

type Placed = Option<(&'static templates::Template, String)>;

impl AddForm {
    /// The client that is wanted, and the template that it is made from with where the application is.
    fn read(&self) -> Result<(Client, Placed), String> {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let uris = text(&self.redirect_uri);
        let uris = uris.split_whitespace().map(str::to_owned);
        let mut client = Client::new(self.name.trim(), uris.collect());
        let Some(template) = self.template.as_deref().filter(|name| !name.is_empty()) else {
            return Ok((client, None));
        };
        let template = templates::find(template)?;
        let base = templates::base_of(text(&self.url).trim())?;
        let own = std::mem::take(&mut client.redirect_uris);
        template.apply(&mut client, &base);
        client.redirect_uris.extend(own);
        Ok((client, Some((template, base))))
    }
}

/// The answer shows the secret; it is not shown again.
#[post("/admin/applications", data = "<form>")]
async fn add(
    app: &App,
    visit: Visit,
    admin: Admin,
    form: Sensitive<AddForm>,
) -> Result<Answer, Failure> {
    let Sensitive(form) = form;
    let (mut client, placed) = match form.read() {
        Ok(read) => read,
        Err(error) => return list_page(app, &admin.0, form, Some(error)).await,
    };
    let is_public = form.public.as_deref() == Some("on");
    let secret = (!is_public).then(|| clients::new_secret().reveal());
    client.secret_hash = secret.as_deref().map(clients::hash_of_secret);
    let settings = secret
        .as_deref()
        .zip(placed)
        .map(|(secret, (template, base))| {
            let text = template.settings_for(app, &base, &client.id, secret);
            (template.place, text)
        });
    let actor = Actor::user(&admin.0, visit.address);
    match clients::add(app, &actor, &client).await? {
        Ok(()) => page_of(app, &admin.0, client, secret, settings),
        Err(refused) => list_page(app, &admin.0, form, Some(refused.to_string())).await,
    }
}

#[get("/admin/applications/<id>")]
async fn show(app: &App, _visit: Visit, admin: Admin, id: &str) -> Result<Answer, Failure> {
    page_of(app, &admin.0, find(app, id).await?, None, None)
}

#[post("/admin/applications/<id>/rotate-secret", data = "<_form>")]
async fn rotate_secret(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let mut client = find(app, id).await?;
    if client.is_public() {
        return Err(Refusal::of_status(Status::BadRequest)
            .link(HERE, "All applications")
            .into());
    }
    let secret = clients::new_secret().reveal();
    client.secret_hash = Some(clients::hash_of_secret(&secret));
    let actor = Actor::user(&admin.0, visit.address);
    match clients::change(app, &actor, &client).await? {
        Ok(()) => page_of(app, &admin.0, client, Some(secret), None),
        Err(_) => Err(Refusal::not_found().link(HERE, "All applications").into()),
    }
}

#[post("/admin/applications/<id>/remove", data = "<_form>")]
async fn remove(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let client = find(app, id).await?;
    clients::remove(app, &Actor::user(&admin.0, visit.address), &client).await?;
    Ok(Answer::see_other(HERE))
}
