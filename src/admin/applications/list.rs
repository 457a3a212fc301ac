//! All applications, and the form that adds one.

use rocket::http::Status;
use rocket::{FromForm, get, post};
use serde::Serialize;

use super::page::ApplicationPage;
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::login::Sensitive;
use crate::oidc::clients::{self, Client};
use crate::oidc::templates::{self, TEMPLATES};
use crate::people::users::User;
use crate::sessions::Admin;
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, Failure, Visit};

/// An application as the list shows it.
#[derive(Serialize)]
struct Shown {
    id: String,
    name: String,
    redirect_uris: Vec<String>,
    groups: Vec<String>,
    two_factors: bool,
}

impl Shown {
    fn of(client: Client) -> Self {
        Self {
            id: client.id,
            name: client.name,
            redirect_uris: client.redirect_uris,
            groups: client.groups,
            two_factors: client.two_factors,
        }
    }

    fn sample(text: &str) -> Self {
        let some = vec![text.to_owned()];
        Self {
            id: text.to_owned(),
            name: text.to_owned(),
            redirect_uris: some.clone(),
            groups: some,
            two_factors: true,
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

#[get("/admin/applications")]
pub(super) async fn list(app: &App, _visit: Visit, admin: Admin) -> Result<Answer, Failure> {
    list_page(app, &admin.0, AddForm::default(), None).await
}

#[derive(Default, FromForm)]
pub(super) struct AddForm {
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
pub(super) async fn add(
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
        Ok(()) => {
            let page = ApplicationPage::of(app, client)
                .await?
                .with_secret(secret, settings);
            Ok(page.answer(app, &admin.0)?)
        }
        Err(refused) => list_page(app, &admin.0, form, Some(refused.to_string())).await,
    }
}
