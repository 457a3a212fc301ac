use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::pages::CodePage;
use super::{Finished, find, finish, finish_by_passkey};
use crate::foundation::app::App;
use crate::foundation::token::Token;
use crate::login::Browser;
use crate::login::destination::Destination;
use crate::login::pages::SignInPage;
use crate::login::passkey::malformed_passkey;
use crate::login::routes::answer_signed_in;
use crate::login::second_factor::Proof;
use crate::people::passkeys::Refused;
use crate::people::recovery_codes::RecoveryCode;
use crate::people::totp::Code;
use crate::sessions::{CurrentSession, Denied};
use crate::web::cookies::HostCookie;
use crate::web::{Answer, CookieHeaders, Failure, Posted, Refusal, Visit, Visitor};

const WRONG: &str = "That code is not right, or it was used before. Wait for the next one.";

const WRONG_RECOVERY_CODE: &str = "That recovery code is not right, or it was used before.";

const NO_CODE: &str = "A code has six digits, without blanks.";

const NO_RECOVERY_CODE: &str = "A recovery code has six groups of four letters and digits.";

const GONE: &str = "This sign-in has waited too long, or began in another browser. Begin again.";

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![form, post]
}

#[get("/login/code")]
async fn form(
    app: &App,
    _visit: Visit,
    cookies: CookieHeaders<'_>,
    visitor: Visitor,
) -> Result<Answer, Failure> {
    let pending = match cookies.token(HostCookie::pending(&app.settings)) {
        Some(token) => find(app, &token).await?,
        None => None,
    };
    match pending {
        Some(pending) => {
            let page = CodePage::new(app, &visitor, &pending).await?;
            Ok(visitor.page(app, Status::Ok, &page, None)?)
        }
        None => Ok(Answer::see_other("/login")),
    }
}

#[derive(FromForm)]
struct CodeForm {
    code: Option<String>,
    recovery_code: Option<String>,
    assertion: Option<String>,
    trust: Option<String>,
}

/// What was given as the second step.
enum Given {
    Code(Proof),
    Passkey(String),
}

impl CodeForm {
    /// The one of the three that was filled in.
    fn proof(self) -> Result<Given, &'static str> {
        let filled = |field: Option<String>| field.filter(|text| !text.is_empty());
        let proof = match (
            filled(self.code),
            filled(self.recovery_code),
            filled(self.assertion),
        ) {
            (Some(code), None, None) => Code::parse(code).map(Proof::Code).ok_or(NO_CODE),
            (None, Some(code), None) => RecoveryCode::parse(code)
                .map(Proof::RecoveryCode)
                .ok_or(NO_RECOVERY_CODE),
            (None, None, Some(answer)) => return Ok(Given::Passkey(answer)),
            _ => Err(NO_CODE),
        };
        proof.map(Given::Code)
    }
}

#[post("/login/code", data = "<form>")]
async fn post(
    app: &App,
    visit: Visit,
    cookies: CookieHeaders<'_>,
    visitor: Visitor,
    current: Result<CurrentSession, Denied>,
    form: Posted<CodeForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let answer = match Browser::new(&visit, &current, None) {
        Ok(browser) => answer_code(app, &browser, &cookies, &visitor, form).await,
        Err(refusal) => Err(refusal.into()),
    };
    answer.map_err(|failure| failure.back("/login/code", "Back"))
}

async fn answer_code(
    app: &App,
    browser: &Browser<'_>,
    cookies: &CookieHeaders<'_>,
    visitor: &Visitor,
    form: CodeForm,
) -> Result<Answer, Failure> {
    let cookie = HostCookie::pending(&app.settings);
    let Some(token) = cookies.token(cookie) else {
        return gone(app, visitor).await;
    };
    let Some(pending) = find(app, &token).await? else {
        return gone(app, visitor).await;
    };
    let again = async |status, error: &str| {
        let page = CodePage {
            error: Some(error.to_owned()),
            ..CodePage::new(app, visitor, &pending).await?
        };
        visitor.page(app, status, &page, None)
    };
    let trust = form.trust.as_deref() == Some("on");
    let (finished, wrong) = match form.proof() {
        Ok(Given::Passkey(answer)) => {
            let visitor = visitor.hash();
            let finished = finish_by_passkey(app, &token, &answer, &visitor, browser);
            (finished.await?, WRONG)
        }
        Ok(Given::Code(proof)) => {
            let wrong = match proof {
                Proof::Code(_) => WRONG,
                Proof::RecoveryCode(_) => WRONG_RECOVERY_CODE,
            };
            (finish(app, &token, proof, trust, browser).await?, wrong)
        }
        Err(fault) => return Ok(again(Status::UnprocessableEntity, fault).await?),
    };
    match finished {
        Finished::SignedIn { signed_in, trusted } => {
            let way = (pending.rd.as_deref(), pending.flow.as_deref());
            let answer = answer_signed_in(app, &signed_in, way).await?;
            let answer = answer.cookie(cookie.expire());
            Ok(match trusted {
                Some(token) => answer.cookie(trust_cookie(app, &token)),
                None => answer,
            })
        }
        Finished::Wrong => Ok(again(Status::Unauthorized, wrong).await?.challenge()),
        Finished::WrongPasskey(Refused::Malformed) => Err(malformed_passkey().into()),
        Finished::WrongPasskey(refused) => {
            let answer = again(Status::Unauthorized, refused.text()).await?;
            Ok(answer.challenge())
        }
        Finished::Throttled(wait) => Err(Refusal::throttled(wait).into()),
        Finished::Gone => gone(app, visitor).await,
    }
}

fn trust_cookie(app: &App, token: &Token) -> String {
    let span = app.settings.second_factor.trust_device.0;
    HostCookie::trusted(&app.settings).issue(token, span)
}

/// The sign-in page, which says why it is back.
async fn gone(app: &App, visitor: &Visitor) -> Result<Answer, Failure> {
    let page = SignInPage::new(None, None, &Destination::find(app, None, None).await?);
    let answer = page.refused(app, visitor, GONE).await?;
    Ok(answer.cookie(HostCookie::pending(&app.settings).expire()))
}
