//! The doctor as a page: asks only hosts of configured sites and the sign-in host.

use rocket::http::Status;
use rocket::{FromForm, get, post, routes};
use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::oidc;
use crate::sessions::Admin;
use crate::sites::doctor::{Client, Finding, Issuer, Outcome, Trust, examine};
use crate::web::pages::{Page, PageKind, Template, template};
use crate::web::{Answer, Failure, Posted, Refusal, Slice, Visit};

#[must_use]
pub fn slice() -> Slice {
    let routes = routes![form, look];
    Slice::new(routes, vec![PageKind::of::<DoctorPage>()])
}

#[get("/admin/doctor")]
fn form(app: &App, _visit: Visit, admin: Admin) -> Result<Answer, Failure> {
    Ok(Answer::page(
        app,
        Status::Ok,
        &DoctorPage::default(),
        Some(&admin.0),
    )?)
}

#[derive(FromForm)]
struct DoctorForm {
    url: String,
}

/// Changes nothing, so the answer is the report itself.
#[post("/admin/doctor", data = "<form>")]
async fn look(
    app: &App,
    _visit: Visit,
    admin: Admin,
    form: Posted<DoctorForm>,
) -> Result<Answer, Failure> {
    let Posted(DoctorForm { url }) = form;
    let client = Client::new(&Trust::System).map_err(|_| Refusal::unavailable())?;
    let findings = examine(app, url.trim(), &[], client, issuer(app).await?).await?;
    let page = DoctorPage { url, findings };
    Ok(Answer::page(app, Status::Ok, &page, Some(&admin.0))?)
}

/// What applications should find at the sign-in host. `None`: the provider is switched off.
///
/// # Errors
/// The database failed.
pub async fn issuer(app: &App) -> Result<Option<Issuer>, Error> {
    let Some(metadata) = oidc::metadata(app) else {
        return Ok(None);
    };
    Ok(Some(Issuer {
        name: oidc::issuer(app),
        metadata,
        keys: oidc::keys::signing(app).await?,
        untold: oidc::untold(app).await?,
        now: app.clock.now(),
    }))
}

#[derive(Default, Serialize)]
pub struct DoctorPage {
    url: String,
    findings: Vec<Finding>,
}

impl Page for DoctorPage {
    const TEMPLATE: Template = template!("admin/doctor.html");

    fn samples(text: &str) -> Vec<Self> {
        let finding = |outcome, cure: Option<&str>| Finding {
            step: "proxy",
            title: "The proxy is reached",
            outcome,
            found: text.to_owned(),
            cure: cure.map(str::to_owned),
        };
        let findings = vec![
            finding(Outcome::Right, None),
            finding(Outcome::Wrong, Some(text)),
            finding(Outcome::Unseen, None),
        ];
        vec![
            Self::default(),
            Self {
                url: text.to_owned(),
                findings,
            },
        ]
    }
}
