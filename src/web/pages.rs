//! Pages: MiniJinja templates, embedded, each replaceable from `templates_dir`.
//!
//! Rocket's `Template` fairing stays with the host: two of them cannot be attached, and templates
//! given to it as text are not escaped. Here all are escaped as HTML, whatever their name.

use std::path::Path;

use rocket_dyn_templates::minijinja::{self, AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use super::assets;
use crate::foundation::app::App;
use crate::foundation::clock::{Clock, Timestamp};
use crate::foundation::error::Error;
use crate::foundation::person::Person;
use crate::foundation::settings::Settings;

/// A template that is embedded in the program.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Its path below `templates/`, and below `templates_dir`.
    pub name: &'static str,
    pub text: &'static str,
}

/// Embeds a template by its path below `templates/`.
macro_rules! template {
    ($name:literal) => {
        $crate::web::pages::Template {
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/", $name)),
        }
    };
}
pub(crate) use template;

/// What pages include.
const SHARED: [Template; 2] = [template!("layout.html"), template!("parts.html")];

/// A page's data, and the template that shows it.
pub trait Page: Serialize {
    const TEMPLATE: Template;

    /// Whether it has the script that asks for a passkey; no other script runs, and that one nowhere else.
    fn asks_for_passkey(&self) -> bool {
        false
    }

    /// One of each kind, with `text` wherever a text comes from outside, for the test that renders
    /// every page.
    fn samples(text: &str) -> Vec<Self>
    where
        Self: Sized;
}

/// A page as its slice announces it.
#[derive(Clone, Copy)]
pub struct PageKind {
    template: Template,
    render_samples: fn(&Templates, &str) -> Result<Vec<Sample>, Error>,
}

/// What a page looks like with some data: a name, and its HTML.
pub type Sample = (String, String);

impl PageKind {
    #[must_use]
    pub fn of<P: Page>() -> Self {
        Self {
            template: P::TEMPLATE,
            render_samples: render_samples_of::<P>,
        }
    }
}

/// Renders pages.
pub struct Templates {
    environment: Environment<'static>,
    site: Site,
    kinds: Vec<PageKind>,
}

/// What every page knows of the site.
#[derive(Serialize)]
struct Site {
    name: &'static str,
    stylesheet: String,
    passkey_script: String,
    public_url: String,
    /// Whether mail is sent.
    mail: bool,
    /// Whether people make accounts by themselves.
    sign_up: bool,
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

impl Templates {
    /// # Errors
    /// A template cannot be parsed; its name and line are in the error.
    pub fn new(
        settings: &Settings,
        clock: Clock,
        kinds: Vec<PageKind>,
        letters: Vec<Template>,
    ) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|name| match name.ends_with(".txt") {
            true => AutoEscape::None,
            false => AutoEscape::Html,
        });
        // A misspelt variable is a fault, not an empty place.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        // Pages are never stored, so that what they tell of time is right when it is read.
        environment.add_filter("relative", move |at: &str| {
            Ok(moment(at)?.relative_to(clock.now()))
        });
        environment.add_filter("exact", |at: &str| Ok(moment(at)?.exact()));
        let folder = settings.templates_dir.as_deref();
        for template in SHARED
            .into_iter()
            .chain(kinds.iter().map(|kind| kind.template))
            .chain(letters)
        {
            match folder.and_then(|folder| replacement(folder, template.name)) {
                Some(own) => environment.add_template_owned(template.name, own)?,
                None => environment.add_template(template.name, template.text)?,
            }
        }
        let site = Site {
            name: "Vestibule",
            stylesheet: assets::stylesheet_url(),
            passkey_script: assets::passkey_script_url(),
            public_url: settings.url().as_str().trim_end_matches('/').to_owned(),
            mail: settings.mail.is_on(),
            sign_up: settings.accounts.sign_up.is_on(),
        };
        Ok(Self {
            environment,
            site,
            kinds,
        })
    }

    /// `viewer` is whom the top bar names.
    ///
    /// # Errors
    /// The template uses what the page does not have.
    pub fn render<P: Page>(&self, page: &P, viewer: Option<&dyn Person>) -> Result<String, Error> {
        let viewer = viewer.map(|person| Viewer {
            username: person.username(),
            display_name: person.shown_name(),
            admin: person.is_admin(),
        });
        let context = Context {
            site: &self.site,
            viewer,
            notice: None,
            page,
        };
        Ok(self
            .environment
            .get_template(P::TEMPLATE.name)?
            .render(minijinja::Value::from_serialize(&context))?)
    }
}

/// What a letter is rendered from.
#[derive(Serialize)]
struct LetterContext<'a, L> {
    site: &'a Site,
    #[serde(flatten)]
    letter: &'a L,
}

impl Templates {
    /// The text of a letter.
    ///
    /// # Errors
    /// The template uses what the letter does not have.
    pub(super) fn render_text<L: Serialize>(
        &self,
        name: &str,
        letter: &L,
    ) -> Result<String, Error> {
        let context = LetterContext {
            site: &self.site,
            letter,
        };
        let template = self.environment.get_template(name)?;
        Ok(template.render(minijinja::Value::from_serialize(&context))?)
    }
}

/// A time as it is serialised for pages.
fn moment(at: &str) -> Result<Timestamp, minijinja::Error> {
    Timestamp::parse(at).map_err(|error| {
        let message = format!("{at:?} is no RFC 3339 time");
        minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, message).with_source(error)
    })
}

/// Every page with `text` wherever a text comes from outside, rendered for nobody and for a user; for
/// the tests that look at all pages.
///
/// # Errors
/// A template uses what its page does not have.
pub fn render_samples(app: &App, text: &str) -> Result<Vec<Sample>, Error> {
    let templates = app.state::<Templates>();
    let kinds = templates.kinds.iter();
    let rendered = kinds.map(|kind| (kind.render_samples)(templates, text));
    Ok(rendered.collect::<Result<Vec<_>, _>>()?.concat())
}

/// Whom sample pages are rendered for.
struct Somebody<'a>(&'a str);

impl Person for Somebody<'_> {
    fn id(&self) -> uuid::Uuid {
        uuid::Uuid::nil()
    }

    fn username(&self) -> &str {
        self.0
    }

    fn shown_name(&self) -> &str {
        self.0
    }

    fn is_admin(&self) -> bool {
        true
    }
}

fn render_samples_of<P: Page>(templates: &Templates, text: &str) -> Result<Vec<Sample>, Error> {
    let mut rendered = Vec::new();
    let name = P::TEMPLATE.name;
    for (number, page) in P::samples(text).iter().enumerate() {
        rendered.push((format!("{name} {number}"), templates.render(page, None)?));
        let signed_in = templates.render(page, Some(&Somebody(text)))?;
        rendered.push((format!("{name} {number} signed in"), signed_in));
    }
    Ok(rendered)
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

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 7, 999, 1_000, 12_345, 1_000_000].map(grouped);
        assert_eq!(texts, ["0", "7", "999", "1,000", "12,345", "1,000,000"]);
    }
}
