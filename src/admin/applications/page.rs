//! The page of one application.

use rocket::http::Status;
use serde::Serialize;

use super::edit::EditForm;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::version::Version;
use crate::launcher::{Icons, Owner};
use crate::oidc::clients::Client;
use crate::oidc::issuer;
use crate::oidc::learning::Learning;
use crate::people::users::User;
use crate::web::Answer;
use crate::web::pages::{Page, Template, template};

#[derive(Serialize)]
pub struct ApplicationPage {
    id: String,
    name: String,
    public: bool,
    pkce: bool,
    issuer: String,
    form: EditForm,
    version: Version,
    error: Option<String>,
    /// What this session tries, if it has opened the application for that.
    learning: Option<Learning>,
    icon: Option<String>,
    icon_error: Option<String>,
    /// Shown once.
    secret: Option<String>,
    /// Where the application's own settings are, these with that secret, and what people stumble over.
    settings: Option<(&'static str, String, &'static str)>,
}

impl ApplicationPage {
    pub async fn of(app: &App, client: Client) -> Result<Self, Error> {
        let owner = Owner::Client(client.id.clone());
        Ok(Self {
            icon: Icons::read(app).await?.of(&owner),
            icon_error: None,
            form: EditForm::of(&client),
            version: client.version(),
            public: client.is_public(),
            pkce: client.pkce,
            id: client.id,
            name: client.name,
            issuer: issuer(app),
            error: None,
            learning: None,
            secret: None,
            settings: None,
        })
    }

    pub fn with_icon_error(self, error: String) -> Self {
        Self {
            icon_error: Some(error),
            ..self
        }
    }

    pub fn with_learning(self, learning: Option<Learning>) -> Self {
        Self { learning, ..self }
    }

    pub fn with_error(self, error: String) -> Self {
        Self {
            error: Some(error),
            ..self
        }
    }

    /// With what was typed, and what is wrong with it.
    pub fn with_form(self, form: EditForm, error: String) -> Self {
        Self { form, ..self }.with_error(error)
    }

    pub fn with_secret(
        self,
        secret: Option<String>,
        settings: Option<(&'static str, String, &'static str)>,
    ) -> Self {
        Self {
            secret,
            settings,
            ..self
        }
    }

    pub fn answer(&self, app: &App, admin: &User) -> Result<Answer, Error> {
        let status = if self.error.is_some() || self.icon_error.is_some() {
            Status::UnprocessableEntity
        } else {
            Status::Ok
        };
        Answer::page(app, status, self, Some(admin))
    }
}

impl Page for ApplicationPage {
    const TEMPLATE: Template = template!("admin/application.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |secret, settings, error| Self {
            id: text.to_owned(),
            name: text.to_owned(),
            public: false,
            pkce: true,
            issuer: text.to_owned(),
            form: EditForm::sample(text),
            version: Version::sample(text),
            error,
            learning: None,
            icon: Some(text.to_owned()),
            icon_error: None,
            secret,
            settings,
        };
        let some = || Some(text.to_owned());
        let public = Self {
            public: true,
            icon: None,
            icon_error: some(),
            ..page(None, None, some())
        };
        let learns = |tried| Self {
            learning: Some(Learning::sample(tried)),
            ..page(None, None, None)
        };
        vec![
            page(None, None, None),
            learns(Vec::new()),
            learns(vec![text]),
            page(some(), None, None),
            page(
                some(),
                Some(("grafana.ini", text.to_owned(), "A note.")),
                None,
            ),
            public,
        ]
    }
}
