//! An error, told to a person.

use serde::Serialize;

use super::pages::{Page, Template, template};
use super::{Link, Refusal};

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
    const TEMPLATE: Template = template!("error.html");

    fn samples(text: &str) -> Vec<Self> {
        let refusal =
            Refusal::new(rocket::http::Status::NotFound, "not_found", text, text).link(text, text);
        vec![Self::of(&refusal)]
    }
}
