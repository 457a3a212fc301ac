//! `/.vestibule/frame` of a protected host: what a frame shows where nobody is signed in. The sign-in page is
//! shown in no frame, so this one leads out of it.

use hyper::header::CONTENT_SECURITY_POLICY;
use rocket::http::Status;
use serde::Serialize;

use super::enter::parameter;
use super::flow::home;
use super::host::Host;
use super::tickets::SiteAddress;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::login::External;
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, headers, with_query};

pub const PATH: &str = "/.vestibule/frame";

/// The address of the page that leads out of a frame to a page of the same host.
#[must_use]
pub fn address(app: &App, to: &External) -> String {
    let path = with_query(PATH, &[("rd", Some(&to.url))]);
    format!("{}://{}{path}", app.settings.url().scheme(), to.host)
}

/// The page; any site may frame it, for there is nothing on it but a link to a page of this host.
///
/// # Errors
/// The template is at fault.
pub fn frame(app: &App, host: &Host, query: &str) -> Result<Answer, Error> {
    let rd = parameter(query, "rd").unwrap_or_default();
    let page = SiteAddress::page_of(&rd, host, app.settings.url().scheme());
    let page = FramePage {
        host: host.to_string(),
        page: page.unwrap_or_else(|| home(app, host)),
    };
    let answer = Answer::page(app, Status::Unauthorized, &page, None)?;
    let policy = headers::policy_of_framed_page();
    Ok(answer.header(CONTENT_SECURITY_POLICY, policy).challenge())
}

#[derive(Serialize)]
pub struct FramePage {
    host: String,
    page: String,
}

impl Page for FramePage {
    const TEMPLATE: Template = template!("forward_auth/frame.html");

    fn samples(text: &str) -> Vec<Self> {
        vec![Self {
            host: text.to_owned(),
            page: text.to_owned(),
        }]
    }
}
