//! Changes that ask for the password again when it was checked too long ago.

use std::sync::Arc;

use rocket::Request;
use rocket::data::{self, Data, FromData};
use rocket::form::FromForm;
use rocket::http::Status;
use rocket::outcome::Outcome;
use serde::Serialize;

use super::reauthentication::{ProofAgain, Reauthenticated, reauthenticate, wrong_again};
use super::routes::cookie_for;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::people::passkeys::{self, Purpose};
use crate::people::users::User;
use crate::sessions::CurrentSession;
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, Failure, Fields, Refusal, ResponseExtras, Visit, Visitor};

/// The fields in which a proof comes along with the form that it is for; a code of recovery in the same field as any code.
const PASSWORD_AGAIN: &str = "password_again";
const CODE_AGAIN: &str = "code_again";
const ASSERTION_AGAIN: &str = "assertion_again";

/// A form for a sensitive change, from a user whose password was checked lately.
///
/// Otherwise the answer is a page that asks for it and holds the form: sent with the right password,
/// the change is made, and nothing has to be done twice.
#[derive(Debug)]
pub struct Sensitive<T>(pub T);

/// The form of a change that asks for nothing; a form has a field at least.
#[derive(Debug, FromForm)]
pub struct NoFields {
    #[field(name = "rd")]
    _rd: Option<String>,
}

#[rocket::async_trait]
impl<'r, T> FromData<'r> for Sensitive<T>
where
    T: for<'f> FromForm<'f> + Send + 'static,
{
    type Error = Refusal;

    async fn from_data(
        request: &'r Request<'_>,
        data: Data<'r>,
    ) -> data::Outcome<'r, Self, Refusal> {
        match read(request, data).await {
            Ok(form) => Outcome::Success(Self(form)),
            Err(Stopped::Refused(refusal)) => refusal.stop_data(request),
            Err(Stopped::Asked(answer)) => {
                let _ = ResponseExtras::of(request).answer.set(*answer);
                let refusal = Refusal::of_status(Status::Forbidden);
                Outcome::Error((refusal.status, refusal))
            }
        }
    }
}

enum Stopped {
    Refused(Refusal),
    /// The page that asks for the password.
    Asked(Box<Answer>),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

async fn read<T>(request: &Request<'_>, data: Data<'_>) -> Result<T, Stopped>
where
    T: for<'f> FromForm<'f> + Send + 'static,
{
    let app = request
        .rocket()
        .state::<Arc<App>>()
        .ok_or_else(Refusal::unavailable)?;
    let mut fields = Fields::read(request, data).await?;
    let password = fields.take(PASSWORD_AGAIN);
    let code = fields.take(CODE_AGAIN);
    let assertion = fields.take(ASSERTION_AGAIN);
    let form = fields.parse()?;
    // The guards of these routes have let both through before.
    let current = request
        .guard::<CurrentSession>()
        .await
        .succeeded()
        .ok_or_else(|| Refusal::of_status(Status::Unauthorized))?;
    let visit = request
        .guard::<Visit>()
        .await
        .succeeded()
        .ok_or_else(Refusal::not_found)?;
    let visitor = request
        .guard::<Visitor>()
        .await
        .succeeded()
        .ok_or_else(Refusal::not_found)?;
    if current.session.is_fresh(
        &current.user,
        app.clock.now(),
        app.settings.sessions.reauthenticate_after,
    ) {
        return Ok(form);
    }
    let user = &current.user;
    let failed = |error: Error| Stopped::from(Failure::from(error).into_refusal(request));
    let page = async |error: Option<&str>| {
        let action = request.uri().path().as_str();
        let purpose = Purpose::Reauthenticate(user.id);
        let passkey = passkeys::request_options(app, &visitor.hash(), purpose).await?;
        let page = PasswordAgainPage::new(action, &fields, error, user, passkey);
        visitor.page(app, Status::Forbidden, &page, Some(user))
    };
    let ask = async |error: Option<&str>| match page(error).await {
        Ok(answer) => Stopped::Asked(Box::new(answer)),
        Err(error) => failed(error),
    };
    if password.is_none() && code.is_none() && assertion.is_none() {
        return Err(ask(None).await);
    }
    let proof = ProofAgain::of_one(password, code, assertion, &visitor);
    let Some(proof) = proof else {
        return Err(ask(Some(wrong_again(user))).await);
    };
    match reauthenticate(app, &current, proof, &visit.device()).await {
        Ok(Reauthenticated::Done(token)) => {
            let cookie = cookie_for(app, &token, &current.session);
            let _ = ResponseExtras::of(request).set_cookie.set(cookie);
            Ok(form)
        }
        Ok(Reauthenticated::Wrong) => Err(ask(Some(wrong_again(user))).await),
        Ok(Reauthenticated::WrongPasskey(why)) => Err(ask(Some(why)).await),
        Ok(Reauthenticated::Throttled(wait)) => Err(Refusal::throttled(wait).into()),
        Err(error) => Err(failed(error)),
    }
}

#[derive(Serialize)]
pub struct PasswordAgainPage {
    action: String,
    fields: Vec<Field>,
    error: Option<String>,
    username: String,
    /// Whether a code is asked for, and no password.
    second_factor: bool,
    has_totp: bool,
    /// What the user's passkeys are asked for, if there are any.
    passkey: Option<String>,
}

#[derive(Serialize)]
struct Field {
    name: String,
    value: String,
}

impl PasswordAgainPage {
    fn new(
        action: &str,
        fields: &Fields,
        error: Option<&str>,
        user: &User,
        passkey: Option<String>,
    ) -> Self {
        let field = |(name, value): &(String, String)| Field {
            name: name.clone(),
            value: value.clone(),
        };
        Self {
            action: action.to_owned(),
            fields: fields.0.iter().map(field).collect(),
            error: error.map(str::to_owned),
            username: user.username.clone(),
            second_factor: user.has_second_factor(),
            has_totp: user.has_totp,
            passkey,
        }
    }
}

impl Page for PasswordAgainPage {
    const TEMPLATE: Template = template!("login/password_again.html");

    fn asks_for_passkey(&self) -> bool {
        self.passkey.is_some()
    }

    fn samples(text: &str) -> Vec<Self> {
        let fields = Fields(vec![(text.to_owned(), text.to_owned())]);
        let with_factor = User::sample(text);
        let without = User {
            has_totp: false,
            has_passkey: false,
            ..User::sample(text)
        };
        vec![
            Self::new(text, &fields, None, &without, None),
            Self::new(text, &fields, Some(text), &without, None),
            Self::new(
                text,
                &fields,
                Some(text),
                &with_factor,
                Some(text.to_owned()),
            ),
        ]
    }
}
