use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::pages::{FactorsPage, RecoveryCodesPage, TotpPage};
use super::{Enrolled, remove_totp, renew_recovery_codes, set_up_totp};
use crate::account::enrolment::{self, EnrolmentPage};
use crate::foundation::app::App;
use crate::login::{NoFields, Sensitive, cookie_for};
use crate::people::totp::Code;
use crate::sessions::Enroller;
use crate::web::{Answer, Failure, Refusal, Visit, back_to, with_query};

const HERE: &str = "/account/factors";

const WRONG: &str = "That code is not right. See that the clock of your phone is right, and that it is the code of the key below.";

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![
        overview,
        totp_form,
        totp_confirm,
        totp_remove,
        recovery_form,
        recovery_renew
    ]
}

#[get("/account/factors?<rd>&<sent>")]
async fn overview(
    app: &App,
    _visit: Visit,
    enroller: Enroller,
    rd: Option<&str>,
    sent: Option<&str>,
) -> Result<Answer, Failure> {
    let Enroller(current) = enroller;
    let user = &current.user;
    if enrolment::is_due(app, &current).await? {
        let page = EnrolmentPage::new(user, rd, sent.is_some());
        return Ok(Answer::page(app, Status::Ok, &page, Some(user))?);
    }
    let page = FactorsPage::new(app, &current, rd).await?;
    Ok(Answer::page(app, Status::Ok, &page, Some(user))?)
}

/// The key is the same until the session is proven anew, so that asking for the page changes nothing.
#[get("/account/totp?<rd>")]
async fn totp_form(
    app: &App,
    _visit: Visit,
    enroller: Enroller,
    rd: Option<&str>,
) -> Result<Answer, Failure> {
    if enrolment::is_due(app, &enroller.0).await? {
        return Ok(Answer::see_other(&with_query(HERE, &[("rd", rd)])));
    }
    let page = TotpPage::new(app, &enroller.0, rd).await?;
    Ok(Answer::page(
        app,
        Status::Ok,
        &page,
        Some(&enroller.0.user),
    )?)
}

#[derive(FromForm)]
struct TotpForm {
    code: Option<String>,
    rd: Option<String>,
}

#[post("/account/totp", data = "<form>")]
async fn totp_confirm(
    app: &App,
    visit: Visit,
    enroller: Enroller,
    form: Sensitive<TotpForm>,
) -> Result<Answer, Failure> {
    let Enroller(current) = enroller;
    let Sensitive(TotpForm { code, rd }) = form;
    if enrolment::is_due(app, &current).await? {
        let way = with_query(HERE, &[("rd", rd.as_deref())]);
        return Ok(Answer::see_other(&way));
    }
    let page = TotpPage::new(app, &current, rd.as_deref()).await?;
    let Some(code) = code.filter(|code| !code.is_empty()) else {
        return Ok(Answer::page(app, Status::Ok, &page, Some(&current.user))?);
    };
    let enrolled = match Code::parse(code) {
        Some(code) => set_up_totp(app, &current, &code, &visit.device()).await?,
        None => Enrolled::WrongCode,
    };
    match enrolled {
        Enrolled::Done { token, codes } => {
            let cookie = cookie_for(app, &token, &current.session);
            let answer = if codes.is_empty() {
                Answer::see_other(&back_to(app, rd.as_deref(), HERE))
            } else {
                let next = back_to(app, rd.as_deref(), HERE);
                let page = RecoveryCodesPage::shown(app, codes, &next);
                Answer::page(app, Status::Ok, &page, Some(&current.user))?
            };
            Ok(answer.cookie(cookie))
        }
        Enrolled::WrongCode => {
            let page = page.refused(WRONG);
            Ok(Answer::page(
                app,
                Status::UnprocessableEntity,
                &page,
                Some(&current.user),
            )?)
        }
    }
}

#[post("/account/totp/remove", data = "<_form>")]
async fn totp_remove(
    app: &App,
    visit: Visit,
    enroller: Enroller,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    match remove_totp(app, &enroller.0, &visit.device()).await? {
        true => Ok(Answer::see_other(HERE)),
        false => Err(Refusal::not_found().into()),
    }
}

#[get("/account/recovery-codes")]
async fn recovery_form(app: &App, _visit: Visit, enroller: Enroller) -> Result<Answer, Failure> {
    let page = RecoveryCodesPage::left(app, &enroller.0.user).await?;
    Ok(Answer::page(
        app,
        Status::Ok,
        &page,
        Some(&enroller.0.user),
    )?)
}

/// The answer to this very form shows them, and nothing after it.
#[post("/account/recovery-codes", data = "<_form>")]
async fn recovery_renew(
    app: &App,
    visit: Visit,
    enroller: Enroller,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let Enroller(current) = enroller;
    match renew_recovery_codes(app, &current, &visit.device()).await? {
        Some(codes) => {
            let page = RecoveryCodesPage::shown(app, codes, HERE);
            Ok(Answer::page(app, Status::Ok, &page, Some(&current.user))?)
        }
        None => Ok(Answer::see_other(HERE)),
    }
}
