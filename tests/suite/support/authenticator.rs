//! An authenticator app: what a phone does with the setup key.

use totp_rs::{Algorithm, Builder};

use super::{Answer, Client, TestApp};

/// Set up from the page that shows the key.
#[derive(Clone)]
pub struct Authenticator {
    secret: Vec<u8>,
    /// What the page showed beside the first code.
    pub recovery_codes: Vec<String>,
}

impl Authenticator {
    /// Sets one up for whoever is signed in with `client`, and returns once it is confirmed.
    pub async fn set_up(app: &TestApp, client: &mut Client) -> Self {
        let mut authenticator = Self::offered(client).await;
        let answer = client
            .post("/account/totp", &[("code", &authenticator.code(app))])
            .await;
        assert!(
            answer.status == 200 || answer.status == 303,
            "{}",
            answer.body
        );
        authenticator.recovery_codes = answer.elements("<li><code>", "</code>");
        // A code counts once, and this one has.
        app.wait(STEP).await;
        authenticator
    }

    /// What the page offers, which is not confirmed.
    pub async fn offered(client: &mut Client) -> Self {
        Self::of_page(&client.get("/account/totp").await)
    }

    pub fn of_page(page: &Answer) -> Self {
        let key = page.elements("id=\"setup-key\">", "</code>");
        let key = key.first().expect("a setup key").replace(' ', "");
        Self {
            secret: from_base32(&key),
            recovery_codes: Vec::new(),
        }
    }

    /// The code that it shows now.
    pub fn code(&self, app: &TestApp) -> String {
        self.code_of(app, 0)
    }

    /// The code of so many steps from now.
    pub fn code_of(&self, app: &TestApp, steps: i64) -> String {
        self.code_at(app.clock.now().unix_micros() / 1_000_000 + 30 * steps)
    }

    /// The code of a moment in Unix seconds.
    pub fn code_at(&self, seconds: i64) -> String {
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_secret(<[u8; 20]>::try_from(self.secret.as_slice()).expect("20 bytes"))
            .build_noncompliant();
        totp.generate(u64::try_from(seconds).expect("a time"))
            .to_string()
    }

    pub fn secret(&self) -> &[u8] {
        &self.secret
    }
}

/// The time for which a code is shown.
pub const STEP: std::time::Duration = std::time::Duration::from_secs(30);

fn from_base32(text: &str) -> Vec<u8> {
    let bits = text.bytes().flat_map(|letter| {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            _ => letter - b'2' + 26,
        };
        (0..5).rev().map(move |place| value >> place & 1)
    });
    let bits: Vec<u8> = bits.collect();
    let bytes = bits.chunks_exact(8);
    bytes
        .map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit))
        .collect()
}
