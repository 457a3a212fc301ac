//! Pages: MiniJinja templates, embedded, each replaceable from `templates_dir`.
//!
//! Rocket's `Template` fairing stays with the host: two of them cannot be attached, and templates
//! given to it as text are not escaped. Here all are escaped as HTML, whatever their name.

use std::path::Path;

use rocket_dyn_templates::minijinja::{self, AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use crate::account::{AccountPage, DevicesPage, PasswordPage};
use crate::admin::audit::AuditPage;
use crate::admin::doctor::DoctorPage;
use crate::admin::overview::OverviewPage;
use crate::admin::sessions::{RevokeEveryonePage, SessionsPage};
use crate::admin::sites::{ExplainPage, RulesPage, SitePage, SitesPage};
use crate::admin::users::{DeletePage, NewUserPage, UserPage, UsersPage};
use crate::foundation::error::Error;
use crate::foundation::settings::Settings;
use crate::login::first_admin::SetupPage;
use crate::login::{ContinuePage, PasswordAgainPage, ReauthenticatePage, SignInPage, SignOutPage};
use crate::people::users::User;
use crate::sites::ForbiddenPage;
use crate::web::{Link, Refusal};

const EMBEDDED: &[(&str, &str)] = &[
    (
        "admin/explain.html",
        include_str!("../../templates/admin/explain.html"),
    ),
    (
        "admin/rules.html",
        include_str!("../../templates/admin/rules.html"),
    ),
    (
        "admin/site.html",
        include_str!("../../templates/admin/site.html"),
    ),
    (
        "admin/sites.html",
        include_str!("../../templates/admin/sites.html"),
    ),
    (
        "continue.html",
        include_str!("../../templates/continue.html"),
    ),
    (
        "forward_auth/forbidden.html",
        include_str!("../../templates/forward_auth/forbidden.html"),
    ),
    ("layout.html", include_str!("../../templates/layout.html")),
    ("parts.html", include_str!("../../templates/parts.html")),
    ("error.html", include_str!("../../templates/error.html")),
    (
        "account/account.html",
        include_str!("../../templates/account/account.html"),
    ),
    (
        "account/password.html",
        include_str!("../../templates/account/password.html"),
    ),
    (
        "account/sessions.html",
        include_str!("../../templates/account/sessions.html"),
    ),
    (
        "admin/audit.html",
        include_str!("../../templates/admin/audit.html"),
    ),
    (
        "admin/overview.html",
        include_str!("../../templates/admin/overview.html"),
    ),
    (
        "admin/doctor.html",
        include_str!("../../templates/admin/doctor.html"),
    ),
    (
        "admin/revoke_everyone.html",
        include_str!("../../templates/admin/revoke_everyone.html"),
    ),
    (
        "admin/sessions.html",
        include_str!("../../templates/admin/sessions.html"),
    ),
    (
        "admin/user.html",
        include_str!("../../templates/admin/user.html"),
    ),
    (
        "admin/user_delete.html",
        include_str!("../../templates/admin/user_delete.html"),
    ),
    (
        "admin/user_new.html",
        include_str!("../../templates/admin/user_new.html"),
    ),
    (
        "admin/users.html",
        include_str!("../../templates/admin/users.html"),
    ),
    (
        "login/password_again.html",
        include_str!("../../templates/login/password_again.html"),
    ),
    (
        "login/reauthenticate.html",
        include_str!("../../templates/login/reauthenticate.html"),
    ),
    (
        "login/sign_in.html",
        include_str!("../../templates/login/sign_in.html"),
    ),
    (
        "login/sign_out.html",
        include_str!("../../templates/login/sign_out.html"),
    ),
    (
        "setup/first_admin.html",
        include_str!("../../templates/setup/first_admin.html"),
    ),
];

/// A page's data, and the template that shows it.
pub trait Page: Serialize {
    const TEMPLATE: &'static str;

    /// One of each kind, with `text` wherever a text comes from outside, for the test that renders
    /// every page.
    fn samples(text: &str) -> Vec<Self>
    where
        Self: Sized;
}

/// Renders pages.
pub struct Pages {
    environment: Environment<'static>,
    site: Site,
}

/// What every page knows of the site.
#[derive(Serialize)]
struct Site {
    name: &'static str,
    stylesheet: String,
    public_url: String,
}

#[derive(Serialize)]
struct Viewer<'a> {
    username: &'a str,
    display_name: &'a str,
    admin: bool,
}

#[derive(Serialize)]
struct Context<'a, P> {
    site: &'a Site,
    viewer: Option<Viewer<'a>>,
    notice: Option<&'a str>,
    #[serde(flatten)]
    page: &'a P,
}

impl Pages {
    /// # Errors
    /// A template cannot be parsed; its name and line are in the error.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        // A misspelt variable is a fault, not an empty place.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        for (name, source) in EMBEDDED {
            match settings
                .templates_dir
                .as_deref()
                .and_then(|folder| replacement(folder, name))
            {
                Some(own) => environment.add_template_owned(*name, own)?,
                None => environment.add_template(name, source)?,
            }
        }
        let site = Site {
            name: "Vestibule",
            stylesheet: crate::web::assets::stylesheet_url(),
            public_url: settings.url().as_str().trim_end_matches('/').to_owned(),
        };
        Ok(Self { environment, site })
    }

    /// # Errors
    /// The template uses what the page does not have.
    pub fn render<P: Page>(&self, page: &P, viewer: Option<&User>) -> Result<String, Error> {
        let viewer = viewer.map(|user| Viewer {
            username: &user.username,
            display_name: user.shown_name(),
            admin: user.admin,
        });
        let context = Context {
            site: &self.site,
            viewer,
            notice: None,
            page,
        };
        Ok(self
            .environment
            .get_template(P::TEMPLATE)?
            .render(minijinja::Value::from_serialize(&context))?)
    }
}

/// Every page with `text` wherever a text comes from outside, rendered for nobody and for a user; for
/// the tests that look at all pages.
///
/// # Errors
/// A template uses what its page does not have.
pub fn render_samples(pages: &Pages, text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut rendered = Vec::new();
    samples_of::<AccountPage>(pages, text, &mut rendered)?;
    samples_of::<DoctorPage>(pages, text, &mut rendered)?;
    samples_of::<AuditPage>(pages, text, &mut rendered)?;
    samples_of::<OverviewPage>(pages, text, &mut rendered)?;
    samples_of::<DevicesPage>(pages, text, &mut rendered)?;
    samples_of::<DeletePage>(pages, text, &mut rendered)?;
    samples_of::<NewUserPage>(pages, text, &mut rendered)?;
    samples_of::<RevokeEveryonePage>(pages, text, &mut rendered)?;
    samples_of::<ExplainPage>(pages, text, &mut rendered)?;
    samples_of::<RulesPage>(pages, text, &mut rendered)?;
    samples_of::<SitePage>(pages, text, &mut rendered)?;
    samples_of::<SitesPage>(pages, text, &mut rendered)?;
    samples_of::<SessionsPage>(pages, text, &mut rendered)?;
    samples_of::<UserPage>(pages, text, &mut rendered)?;
    samples_of::<UsersPage>(pages, text, &mut rendered)?;
    samples_of::<PasswordAgainPage>(pages, text, &mut rendered)?;
    samples_of::<ContinuePage>(pages, text, &mut rendered)?;
    samples_of::<ForbiddenPage>(pages, text, &mut rendered)?;
    samples_of::<ErrorPage>(pages, text, &mut rendered)?;
    samples_of::<PasswordPage>(pages, text, &mut rendered)?;
    samples_of::<ReauthenticatePage>(pages, text, &mut rendered)?;
    samples_of::<SetupPage>(pages, text, &mut rendered)?;
    samples_of::<SignInPage>(pages, text, &mut rendered)?;
    samples_of::<SignOutPage>(pages, text, &mut rendered)?;
    Ok(rendered)
}

fn samples_of<P: Page>(
    pages: &Pages,
    text: &str,
    rendered: &mut Vec<(String, String)>,
) -> Result<(), Error> {
    let user = User::sample(text);
    for (number, page) in P::samples(text).iter().enumerate() {
        rendered.push((
            format!("{} {number}", P::TEMPLATE),
            pages.render(page, None)?,
        ));
        rendered.push((
            format!("{} {number} signed in", P::TEMPLATE),
            pages.render(page, Some(&user))?,
        ));
    }
    Ok(())
}

/// A whole number, none below 0, with its thousands apart: `1,234,567`.
pub fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn replacement(folder: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(folder.join(name)).ok()
}

/// An error, told to a person.
#[derive(Serialize)]
pub struct ErrorPage {
    status: u16,
    title: String,
    message: String,
    advice: Option<String>,
    link: Option<Box<Link>>,
}

impl ErrorPage {
    #[must_use]
    pub fn of(refusal: &Refusal) -> Self {
        Self {
            status: refusal.status.code,
            title: refusal.title.clone(),
            message: refusal.message.clone(),
            advice: None,
            link: refusal.link.clone(),
        }
    }
}

impl Page for ErrorPage {
    const TEMPLATE: &'static str = "error.html";

    fn samples(text: &str) -> Vec<Self> {
        let refusal =
            Refusal::new(rocket::http::Status::NotFound, "not_found", text, text).link(text, text);
        vec![Self::of(&refusal)]
    }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 7, 999, 1_000, 12_345, 1_000_000].map(grouped);
        assert_eq!(texts, ["0", "7", "999", "1,000", "12,345", "1,000,000"]);
    }
}
