//! The answer to a form that was made from older values than stand now: nothing was changed.

use rocket::http::Status;
use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::version::Version;
use crate::people::users::User;
use crate::web::pages::{Page, PageKind, Template, template};
use crate::web::{Answer, Slice};

/// Shows what stands now beside what the form would make of it, and saves that on purpose.
#[derive(Serialize)]
pub struct ConflictPage {
    /// What was changed meanwhile.
    subject: String,
    /// The form once more: where it goes, what its button says, and its fields.
    action: String,
    button: &'static str,
    fields: Vec<(&'static str, String)>,
    /// Of what stands now.
    version: Version,
    compared: Vec<Compared>,
    /// The page that shows what stands now.
    back: String,
}

/// One field, or one list of lines.
#[derive(Serialize)]
struct Compared {
    label: &'static str,
    now: Vec<String>,
    wanted: Vec<String>,
}

#[must_use]
pub fn slice() -> Slice {
    Slice::new(Vec::new(), vec![PageKind::of::<ConflictPage>()])
}

impl ConflictPage {
    pub fn new(subject: &str, back: String, version: Version) -> Self {
        Self {
            subject: subject.to_owned(),
            action: back.clone(),
            button: "Save mine",
            fields: Vec::new(),
            version,
            compared: Vec::new(),
            back,
        }
    }

    /// For a form that does not go to its own page.
    pub fn action(self, action: String, button: &'static str) -> Self {
        Self {
            action,
            button,
            ..self
        }
    }

    /// A field that the form sends again.
    pub fn field(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    /// What people see of both.
    pub fn compare(self, label: &'static str, now: &str, wanted: &str) -> Self {
        let line = |text: &str| {
            let filled = Some(text).filter(|text| !text.is_empty());
            filled.map(str::to_owned).into_iter().collect()
        };
        self.compare_lists(label, line(now), line(wanted))
    }

    /// The same of lists, a line for each entry.
    pub fn compare_lists(
        mut self,
        label: &'static str,
        now: Vec<String>,
        wanted: Vec<String>,
    ) -> Self {
        self.compared.push(Compared { label, now, wanted });
        self
    }

    pub fn answer(&self, app: &App, admin: &User) -> Result<Answer, Error> {
        Answer::page(app, Status::Conflict, self, Some(admin))
    }
}

impl Page for ConflictPage {
    const TEMPLATE: Template = template!("admin/conflict.html");

    fn samples(text: &str) -> Vec<Self> {
        vec![
            Self::new(text, text.to_owned(), Version::sample(text))
                .field("note", text)
                .compare("Note", text, "")
                .compare("Default", text, text),
        ]
    }
}
