//! Codes of authenticator apps (TOTP, RFC 6238): six digits, a new one every 30 seconds, each good for one sign-in.

mod qr;
mod store;

use aws_lc_rs::hmac;
use totp_rs::{Algorithm, Builder};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::secrets::{self, Place};
use crate::foundation::token::TokenHash;
use crate::people::users::User;

pub use qr::QrCode;
pub(crate) use store::{failed, remove};

/// 160 bits, the size of the hash that codes are made with.
const SECRET_BYTES: usize = 20;

/// Seconds that a code is shown.
const STEP: u64 = 30;

/// Wrong codes in a row after which no code is looked at any more, as NIST 800-63B asks.
const MOST_FAILURES: i64 = 100;

/// What an authenticator app and Vestibule share.
pub struct Secret(Zeroizing<[u8; SECRET_BYTES]>);

/// A code was right: the step of time that it is of, which counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step(i64);

impl Secret {
    /// The secret that a session is offered, before any is stored: the same each time the page is shown, and another one
    /// once the session was proven anew. With a key that was changed meanwhile there are two.
    pub(crate) async fn offered(
        app: &App,
        user: &User,
        session: &TokenHash,
    ) -> Result<Vec<Self>, Error> {
        let keys = secrets::keys(app).await?;
        let offered = keys.derived("totp enrolment").map(|key| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
            let message = [user.id.as_bytes().as_slice(), session.as_bytes()].concat();
            let tag = hmac::sign(&key, &message);
            let mut secret = Zeroizing::new([0; SECRET_BYTES]);
            secret.copy_from_slice(&tag.as_ref()[..SECRET_BYTES]);
            Self(secret)
        });
        Ok(offered.collect())
    }

    /// The text to type where no picture can be read: base32, in groups of four.
    #[must_use]
    pub fn setup_key(&self) -> String {
        let text = self.base32();
        let groups: Vec<&str> = (0..text.len())
            .step_by(4)
            .map(|start| &text[start..text.len().min(start + 4)])
            .collect();
        groups.join(" ")
    }

    /// The address that authenticator apps read out of a QR code. Many of them know this hash, length and step alone.
    #[must_use]
    pub fn address(&self, issuer: &str, username: &str) -> String {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        format!(
            "otpauth://totp/{0}:{1}?secret={2}&issuer={0}&algorithm=SHA1&digits=6&period={STEP}",
            encode(issuer),
            encode(username),
            self.base32()
        )
    }

    fn base32(&self) -> String {
        base32(&*self.0)
    }

    /// The step of a code that is right now, or was or will be within a step: clocks differ, and people type slowly.
    #[must_use]
    pub fn step_of(&self, code: &Code, now: Timestamp) -> Option<Step> {
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_skew(1)
            .with_step_duration(STEP)
            .with_secret(*self.0)
            .build_noncompliant();
        let step = totp.check(&code.0, u64::try_from(now.unix_micros() / 1_000_000).ok()?)?;
        i64::try_from(step).ok().map(Step)
    }
}

/// Crockford's letters are for people; this is RFC 4648's base32, which authenticator apps know.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    crate::foundation::token::in_groups_of_five_bits(bytes, LETTERS)
}

/// Six digits, as they are typed.
pub struct Code(Zeroizing<String>);

impl Code {
    /// `None`: it is no code at all. Neither blanks nor the digits of other scripts are taken, so that each code has one
    /// spelling.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        let text = Zeroizing::new(text);
        let is_code = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then_some(Self(text))
    }
}

fn place(user_id: Uuid) -> Place {
    Place {
        column: "totp.secret",
        row: user_id,
    }
}

/// Stores a secret whose first code, of this step, was right; in place of another one.
pub(crate) async fn confirm(
    app: &App,
    tx: &mut Tx,
    user_id: Uuid,
    secret: &Secret,
    step: Step,
) -> Result<(), Error> {
    let keys = secrets::keys(app).await?;
    let sealed = secrets::seal(app, &keys, tx, place(user_id), &*secret.0).await?;
    store::insert(tx, user_id, &sealed, step.0, app.clock.now()).await?;
    Ok(())
}

/// The step of a code that is right for this user; it does not count yet ([`spend`]). `None`: wrong, or nothing is set up.
pub(crate) async fn check(app: &App, user_id: Uuid, code: &Code) -> Result<Option<Step>, Error> {
    let Some(sealed) = store::sealed(app.db.reader(), user_id, MOST_FAILURES).await? else {
        return Ok(None);
    };
    let plain = secrets::open(app, place(user_id), &sealed).await?;
    let Ok(bytes) = <[u8; SECRET_BYTES]>::try_from(plain.as_slice()) else {
        return Ok(None);
    };
    let secret = Secret(Zeroizing::new(bytes));
    Ok(secret.step_of(code, app.clock.now()))
}

/// Takes the step for itself: of all that come with it, or with an earlier one, the first alone. False: it was taken.
pub(crate) async fn spend(tx: &mut Tx, user_id: Uuid, step: Step) -> Result<bool, Error> {
    Ok(store::spend(tx, user_id, step.0, MOST_FAILURES).await?)
}

/// When it was set up; `None`: it is not.
pub(crate) async fn since(app: &App, user_id: Uuid) -> Result<Option<Timestamp>, Error> {
    Ok(store::created_at(app.db.reader(), user_id).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret(Zeroizing::new(*b"12345678901234567890"))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn code(text: &str) -> Code {
        Code::parse(text.to_owned()).expect("a code")
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, the last six of its eight digits.
        for (seconds, text) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let step = secret().step_of(&code(text), at(seconds));
            assert_eq!(step, Some(Step(seconds / 30)), "{text}");
        }
    }

    #[test]
    fn a_code_is_right_a_step_before_and_after_its_own_and_no_longer() {
        let step_at = |seconds| secret().step_of(&code("005924"), at(seconds));
        let own = Some(Step(1_234_567_890 / 30));
        assert_eq!(step_at(1_234_567_890 - 30), own);
        assert_eq!(step_at(1_234_567_890 + 30), own);
        assert_eq!(step_at(1_234_567_890 - 60), None);
        assert_eq!(step_at(1_234_567_890 + 60), None);
    }

    #[test]
    fn mfa_03_a_code_is_six_digits_of_ascii_and_nothing_else() {
        for text in [
            "",
            "12345",
            "1234567",
            " 123456",
            "123456 ",
            "123 456",
            "+12345",
            "-12345",
            "12345a",
            "１２３４５６",
            "123456\0",
            "0x1234",
        ] {
            assert!(Code::parse(text.to_owned()).is_none(), "{text:?}");
        }
    }

    #[test]
    fn an_authenticator_app_reads_the_secret_from_an_address() {
        assert_eq!(
            secret().address("auth.example.com", "alice@home"),
            "otpauth://totp/auth%2Eexample%2Ecom:alice%40home?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=auth%2Eexample%2Ecom&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(
            secret().setup_key(),
            "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
        );
    }
}
