//! What an authenticator signs: made without a write, and known again without a row.
//!
//! 40 bytes: the time, 128 random bits, and half of an HMAC over both and over what the challenge is for. So a page view
//! writes nothing, and only the answer is written down, by the hash of its challenge.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::token::TokenHash;

/// How long a page may be open before its passkey button is used.
const VALID: Duration = Duration::from_secs(10 * 60);

/// The clocks of nodes differ, but not by more.
const AHEAD: Duration = Duration::from_secs(60);

const RANDOM: usize = 16;
const TAG: usize = 16;
const BYTES: usize = 8 + RANDOM + TAG;

/// What a passkey is used for. An answer for one is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    SignIn,
    /// This user's password was right, and a second factor is due.
    SecondStep(Uuid),
    /// A passkey of this user is made.
    Register(Uuid),
    /// The account that is made with it will have this id.
    Join(Uuid),
    /// This user proves once more who that is.
    Reauthenticate(Uuid),
}

impl Purpose {
    /// The user whom it is for; a sign-in is for whoever comes.
    pub fn user(self) -> Option<Uuid> {
        match self {
            Self::SignIn => None,
            Self::SecondStep(user)
            | Self::Register(user)
            | Self::Join(user)
            | Self::Reauthenticate(user) => Some(user),
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::SignIn => 1,
            Self::Register(_) => 2,
            Self::Reauthenticate(_) => 3,
            Self::SecondStep(_) => 4,
            Self::Join(_) => 5,
        }
    }
}

/// For whom and for what a challenge is good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub purpose: Purpose,
    /// Of the browser's cookie.
    pub browser: &'a TokenHash,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    bytes: [u8; BYTES],
    made_at: Timestamp,
}

impl Challenge {
    pub fn make(key: &[u8; 32], scope: Scope<'_>, now: Timestamp) -> Self {
        let mut random = [0; RANDOM];
        getrandom::fill(&mut random).expect("the operating system gives random bytes");
        Self::of(key, scope, now, random)
    }

    fn of(key: &[u8; 32], scope: Scope<'_>, made_at: Timestamp, random: [u8; RANDOM]) -> Self {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&made_at.unix_micros().to_be_bytes());
        bytes[8..8 + RANDOM].copy_from_slice(&random);
        let tag = scope.tag(key, &bytes[..8 + RANDOM]);
        bytes[8 + RANDOM..].copy_from_slice(&tag);
        Self { bytes, made_at }
    }

    /// What somebody says is one.
    pub fn claimed(signed: &[u8]) -> Option<Self> {
        let bytes: [u8; BYTES] = signed.try_into().ok()?;
        let (time, _) = bytes.split_first_chunk::<8>()?;
        let made_at = Timestamp::from_micros(i64::from_be_bytes(*time));
        Some(Self { bytes, made_at })
    }

    /// Reads what was signed; `None` if it is not ours, not for this, or too old.
    pub fn read(
        keys: impl IntoIterator<Item = [u8; 32]>,
        scope: Scope<'_>,
        now: Timestamp,
        signed: &[u8],
    ) -> Option<Self> {
        let challenge = Self::claimed(signed)?;
        let (said, tag) = challenge.bytes.split_at(8 + RANDOM);
        let is_ours = |key: [u8; 32]| verify_slices_are_equal(&scope.tag(&key, said), tag).is_ok();
        let is_timely = now < challenge.expires_at() && challenge.made_at <= now.plus(AHEAD);
        (keys.into_iter().any(is_ours) && is_timely).then_some(challenge)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is stored of one that was answered.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.bytes).into()
    }

    pub fn expires_at(&self) -> Timestamp {
        self.made_at.plus(VALID)
    }
}

impl Scope<'_> {
    /// Each part has its length, so that no two scopes read the same.
    fn tag(self, key: &[u8; 32], said: &[u8]) -> [u8; TAG] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key));
        context.update(&[self.purpose.number()]);
        context.update(self.purpose.user().unwrap_or_default().as_bytes());
        context.update(self.browser.as_bytes());
        context.update(said);
        let mut tag = [0; TAG];
        tag.copy_from_slice(&context.sign().as_ref()[..TAG]);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::token::Token;

    const KEY: [u8; 32] = [7; 32];
    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    fn browser(byte: u8) -> TokenHash {
        Token::of_bytes([byte; 32]).hash()
    }

    fn is_read(challenge: &Challenge, scope: Scope<'_>, now: Timestamp) -> bool {
        Challenge::read([[1; 32], KEY], scope, now, challenge.bytes()).is_some()
    }

    #[test]
    fn mfa_07_a_challenge_is_good_for_one_browser_one_purpose_and_one_user() {
        let (alice, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let scopes = [
            Purpose::SignIn,
            Purpose::SecondStep(alice),
            Purpose::Register(alice),
            Purpose::Register(bob),
            Purpose::Join(alice),
            Purpose::Reauthenticate(alice),
            Purpose::Reauthenticate(bob),
        ];
        let browsers = [browser(1), browser(2)];
        let all = scopes.map(|purpose| {
            browsers
                .each_ref()
                .map(|browser| Scope { purpose, browser })
        });
        let all = all.as_flattened();
        for (made, scope) in all.iter().enumerate() {
            let challenge = Challenge::make(&KEY, *scope, NOW);
            for (read, other) in all.iter().enumerate() {
                assert_eq!(
                    is_read(&challenge, *other, NOW),
                    made == read,
                    "{scope:?} as {other:?}"
                );
            }
        }
    }

    #[test]
    fn mfa_07_a_challenge_is_random_and_ends_after_ten_minutes() {
        let browser = browser(1);
        let scope = Scope {
            purpose: Purpose::SignIn,
            browser: &browser,
        };
        let challenge = Challenge::make(&KEY, scope, NOW);
        assert_ne!(challenge.bytes(), Challenge::make(&KEY, scope, NOW).bytes());
        let last = NOW.plus(VALID).minus(Duration::from_micros(1));
        assert!(is_read(&challenge, scope, last));
        assert!(!is_read(&challenge, scope, NOW.plus(VALID)));
    }

    #[test]
    fn mfa_07_a_challenge_from_a_clock_that_was_ahead_does_not_live_longer() {
        let browser = browser(1);
        let scope = Scope {
            purpose: Purpose::SignIn,
            browser: &browser,
        };
        let challenge = Challenge::make(&KEY, scope, NOW);
        assert!(is_read(&challenge, scope, NOW.minus(AHEAD)));
        assert!(!is_read(
            &challenge,
            scope,
            NOW.minus(AHEAD + Duration::from_micros(1))
        ));
        for time in [i64::MIN, -1, 0, i64::MAX] {
            let odd = Challenge::of(&KEY, scope, Timestamp::from_micros(time), [0; RANDOM]);
            assert!(!is_read(&odd, scope, NOW), "{time}");
        }
    }

    #[test]
    fn mfa_07_no_bit_of_a_challenge_can_be_changed() {
        let browser = browser(1);
        let scope = Scope {
            purpose: Purpose::SignIn,
            browser: &browser,
        };
        let challenge = Challenge::make(&KEY, scope, NOW);
        for bit in 0..BYTES * 8 {
            let mut bytes = challenge.bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                Challenge::read([KEY], scope, NOW, &bytes),
                None,
                "bit {bit}"
            );
        }
        assert_eq!(
            Challenge::read([[8; 32]], scope, NOW, challenge.bytes()),
            None
        );
        assert_eq!(
            Challenge::read([KEY], scope, NOW, &challenge.bytes()[1..]),
            None
        );
    }
}
