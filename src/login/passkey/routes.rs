use rocket::http::Status;
use rocket::{FromForm, Route, post, routes};

use super::{Outcome, sign_in};
use crate::foundation::app::App;
use crate::login::Browser;
use crate::login::destination::Destination;
use crate::login::pages::SignInPage;
use crate::login::routes::answer_signed_in;
use crate::people::passkeys::Refused;
use crate::sessions::{CurrentSession, Denied};
use crate::web::{Answer, Failure, Posted, Refusal, Visit, Visitor, with_query};

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![post]
}

#[derive(FromForm)]
struct PasskeyForm {
    assertion: String,
    remember: Option<String>,
    rd: Option<String>,
    flow: Option<String>,
}

#[post("/login/passkey", data = "<form>")]
async fn post(
    app: &App,
    visit: Visit,
    visitor: Visitor,
    current: Result<CurrentSession, Denied>,
    form: Posted<PasskeyForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let way = [("rd", form.rd.as_deref()), ("flow", form.flow.as_deref())];
    let back = with_query("/login", &way);
    let answer = match Browser::new(&visit, &current, None) {
        Ok(browser) => answer_sign_in(app, &browser, &visitor, form).await,
        Err(refusal) => Err(refusal.into()),
    };
    answer.map_err(|failure| failure.back(&back, "Back to sign in"))
}

async fn answer_sign_in(
    app: &App,
    browser: &Browser<'_>,
    visitor: &Visitor,
    form: PasskeyForm,
) -> Result<Answer, Failure> {
    let remember = form.remember.as_deref() == Some("on");
    let (rd, flow) = (form.rd.as_deref(), form.flow.as_deref());
    match sign_in(app, &form.assertion, &visitor.hash(), remember, browser).await? {
        Outcome::SignedIn(signed_in) => Ok(answer_signed_in(app, &signed_in, (rd, flow)).await?),
        Outcome::Refused(Refused::Malformed) => Err(malformed_passkey().into()),
        Outcome::Refused(refused) => {
            let page = SignInPage::new(rd, flow, &Destination::find(app, rd, flow).await?);
            Ok(page.refused(app, visitor, refused.text()).await?)
        }
        Outcome::Throttled(wait) => Err(Refusal::throttled(wait).into()),
    }
}

/// What no browser makes of an authenticator's answer.
pub(crate) fn malformed_passkey() -> Refusal {
    Refusal::new(
        Status::UnprocessableEntity,
        "malformed_passkey",
        "That was no passkey",
        "What the browser sent of the passkey could not be read. Nothing was changed. Go back and try again.",
    )
}
