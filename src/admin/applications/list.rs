//! All applications, and the form that adds one.

use rocket::http::Status;
use rocket::{FromForm, get, post};
use serde::Serialize;

use super::page::ApplicationPage;
use super::{HERE, page_of};
use crate::admin::query::{Pager, Paging};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::error::Error;
use crate::login::Sensitive;
use crate::oidc::clients::{self, Client};
use crate::oidc::templates::{self, TEMPLATES};
use crate::people::users::User;
use crate::sessions::Admin;
use crate::sites::policy;
use crate::sites::rules::Site;
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, Failure, Visit};

/// A line of the list.
#[derive(Serialize)]
struct Entry {
    name: String,
    kind: &'static str,
    /// The admin's page of it.
    page: String,
    address: String,
    who: String,
    note: String,
}

impl Entry {
    fn of_client(client: Client) -> Self {
        let who = match client.groups.as_slice() {
            [] => "everyone".to_owned(),
            groups => groups.join(", "),
        };
        let factors = if client.two_factors {
            ", two factors"
        } else {
            ""
        };
        Self {
            page: page_of(&client.id),
            name: client.name,
            kind: "OpenID Connect",
            address: client.redirect_uris.join(" "),
            who: format!("{who}{factors}"),
            note: match client.disabled_at {
                Some(_) => "Disabled".to_owned(),
                None => String::new(),
            },
        }
    }

    fn of_site(site: &Site) -> Self {
        let host = site.host.to_string();
        let own = Some(site.terms.name.clone()).filter(|name| !name.is_empty());
        Self {
            name: own.unwrap_or_else(|| host.clone()),
            kind: "Forward auth",
            page: format!("/admin/sites/{}", site.id),
            address: host,
            who: site.terms.to_string(),
            note: site.terms.note.clone(),
        }
    }

    fn sample(text: &str) -> Self {
        let text = || text.to_owned();
        Self {
            name: text(),
            kind: "OpenID Connect",
            page: text(),
            address: text(),
            who: text(),
            note: text(),
        }
    }

    /// Its place in the list: by name; two of one name by their pages.
    fn place(&self) -> String {
        format!("{} {}", self.name.to_lowercase(), self.page)
    }

    fn has(&self, q: &str) -> bool {
        let texts = [&self.name, self.kind, &self.address, &self.who, &self.note];
        texts.iter().any(|text| text.to_lowercase().contains(q))
    }
}

/// Of either kind.
async fn entries(app: &App, paging: &Paging<'_>) -> Result<(Vec<Entry>, Pager), Error> {
    let clients = clients::list(app).await?.into_iter();
    let policy = policy::current(app).await?;
    let sites = policy.sites.iter().map(Entry::of_site);
    let q = paging.q.to_lowercase();
    let mut all: Vec<Entry> = clients.map(Entry::of_client).chain(sites).collect();
    all.retain(|entry| entry.has(&q) && entry.place().as_str() > paging.after);
    all.sort_by_cached_key(Entry::place);
    all.truncate(paging.wanted() as usize);
    let pager = paging.cut(&mut all, Entry::place);
    Ok((all, pager))
}

#[derive(Serialize)]
pub struct ApplicationsPage {
    q: String,
    applications: Vec<Entry>,
    #[serde(flatten)]
    pager: Pager,
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
        let page = |q: &str, applications, pager, error| Self {
            q: q.to_owned(),
            applications,
            pager,
            error,
            templates: known(),
            name: text.to_owned(),
            redirect_uri: text.to_owned(),
            template: text.to_owned(),
            url: text.to_owned(),
        };
        vec![
            page("", Vec::new(), Pager::default(), None),
            page(text, Vec::new(), Pager::default(), None),
            page(
                "",
                vec![Entry::sample(text)],
                Pager::sample(text),
                Some(text.to_owned()),
            ),
        ]
    }
}

async fn list_page(
    app: &App,
    admin: &User,
    paging: &Paging<'_>,
    form: AddForm,
    error: Option<String>,
) -> Result<Answer, Failure> {
    let status = if error.is_some() {
        Status::UnprocessableEntity
    } else {
        Status::Ok
    };
    let (applications, pager) = entries(app, paging).await?;
    let page = ApplicationsPage {
        q: paging.q.to_owned(),
        applications,
        pager,
        error,
        templates: known(),
        name: form.name,
        redirect_uri: form.redirect_uri.unwrap_or_default(),
        template: form.template.unwrap_or_default(),
        url: form.url.unwrap_or_default(),
    };
    Ok(Answer::page(app, status, &page, Some(admin))?)
}

/// With what was typed.
async fn again(app: &App, admin: &User, form: AddForm, error: String) -> Result<Answer, Failure> {
    list_page(app, admin, &Paging::first(HERE), form, Some(error)).await
}

#[get("/admin/applications?<q>&<after>&<limit>")]
pub(super) async fn list(
    app: &App,
    _visit: Visit,
    admin: Admin,
    q: Option<&str>,
    after: Option<&str>,
    limit: Option<&str>,
) -> Result<Answer, Failure> {
    let paging = Paging::parse(HERE, q, after, limit)?;
    list_page(app, &admin.0, &paging, AddForm::default(), None).await
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
        let url = text(&self.url);
        let Some(template) = self.template.as_deref().filter(|name| !name.is_empty()) else {
            return match url.trim() {
                "" => Ok((client, None)),
                _ => Err("Where it is, is asked for with a template alone: choose one, or leave it empty and give the redirect URI.".to_owned()),
            };
        };
        if self.public.is_some() {
            return Err("An application that is made from a template keeps a secret.".to_owned());
        }
        let template = templates::find(template)?;
        let base = match url.trim() {
            "" => return Err(
                "A template needs to know where the application is, like https://app.example.com."
                    .to_owned(),
            ),
            url => templates::base_of(url)?,
        };
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
        Err(error) => return again(app, &admin.0, form, error).await,
    };
    let is_public = form.public.as_deref() == Some("on");
    let secret = (!is_public).then(|| clients::new_secret().reveal());
    client.secret_hash = secret.as_deref().map(clients::hash_of_secret);
    let settings = secret
        .as_deref()
        .zip(placed)
        .map(|(secret, (template, base))| {
            let text = template.settings_for(app, &base, &client.id, secret);
            (template.place, text, template.note)
        });
    let actor = Actor::user(&admin.0, visit.address);
    match clients::add(app, &actor, &client).await? {
        Ok(()) => {
            let page = ApplicationPage::of(app, client)
                .await?
                .with_secret(secret, settings);
            Ok(page.answer(app, &admin.0)?)
        }
        Err(refused) => again(app, &admin.0, form, refused.to_string()).await,
    }
}
