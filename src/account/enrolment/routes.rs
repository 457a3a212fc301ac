use rocket::http::Status;
use rocket::{FromForm, Route, post, routes};

use super::pages::EnrolmentPage;
use super::{ask, confirm, is_due};
use crate::foundation::app::App;
use crate::people::recovery_codes::RecoveryCode;
use crate::sessions::Enroller;
use crate::web::{Answer, Failure, Posted, Visit, with_query};

const HERE: &str = "/account/factors";

const WRONG: &str = "That code is not right, or not any more. One from the mail is good in the browser that asked for it, for 15 minutes.";

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![send_code, take_code]
}

#[derive(FromForm)]
struct SendForm {
    rd: Option<String>,
}

#[post("/account/factors/send-code", data = "<form>")]
async fn send_code(
    app: &App,
    visit: Visit,
    enroller: Enroller,
    form: Posted<SendForm>,
) -> Result<Answer, Failure> {
    let (Enroller(current), Posted(form)) = (enroller, form);
    let rd = ("rd", form.rd.as_deref());
    if !is_due(app, &current).await? {
        return Ok(Answer::see_other(&with_query(HERE, &[rd])));
    }
    ask(app, &current, &visit.device()).await?;
    let way = with_query(HERE, &[("sent", Some("on")), rd]);
    Ok(Answer::see_other(&way))
}

#[derive(FromForm)]
struct CodeForm {
    code: String,
    rd: Option<String>,
}

#[post("/account/factors/code", data = "<form>")]
async fn take_code(
    app: &App,
    visit: Visit,
    enroller: Enroller,
    form: Posted<CodeForm>,
) -> Result<Answer, Failure> {
    let (Enroller(current), Posted(form)) = (enroller, form);
    let rd = form.rd.as_deref();
    let is_right = match RecoveryCode::parse(form.code) {
        Some(code) => confirm(app, &current, &code, &visit.device()).await?,
        None => false,
    };
    if is_right || !is_due(app, &current).await? {
        return Ok(Answer::see_other(&with_query(HERE, &[("rd", rd)])));
    }
    let page = EnrolmentPage::new(&current.user, rd, true).refused(WRONG);
    let status = Status::UnprocessableEntity;
    Ok(Answer::page(app, status, &page, Some(&current.user))?)
}
