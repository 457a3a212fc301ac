//! Recovery codes: ten of them, each good once in place of a second factor that is lost.

mod store;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::foundation::app::App;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::{TokenHash, in_groups_of_five_bits};

pub(crate) use store::{forget, left};

/// As many as are used up in years.
const COUNT: usize = 10;

/// 120 bits: so many that a plain hash is enough (ASVS 6.5.2), and nobody guesses one.
const BYTES: usize = 15;

/// Crockford's base32: no letter looks like a digit.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code as a person has typed it, in the one spelling that is hashed.
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// `None`: it is no code at all. Case, hyphens and blanks make no difference, nor do letters that look like digits.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        let text = Zeroizing::new(text);
        let typed = text.chars().filter(|c| !matches!(c, '-' | ' '));
        let spelt: String = typed
            .map(|c| match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            })
            .collect();
        let spelt = Zeroizing::new(spelt);
        let is_code =
            spelt.len() == BYTES * 8 / 5 && spelt.bytes().all(|byte| LETTERS.contains(&byte));
        is_code.then_some(Self(spelt))
    }

    pub(crate) fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; BYTES]);
        getrandom::fill(&mut *bytes).expect("the operating system gives random bytes");
        Self(Zeroizing::new(in_groups_of_five_bits(&*bytes, LETTERS)))
    }

    /// Six groups of four with hyphens, for paper.
    pub(crate) fn written(&self) -> String {
        let groups: Vec<&str> = (0..self.0.len())
            .step_by(4)
            .map(|at| &self.0[at..at + 4])
            .collect();
        groups.join("-")
    }

    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of_text(&self.0)
    }
}

/// Makes a new set, which ends the old one, and gives its texts: they are in the answer alone.
pub(crate) async fn renew(tx: &mut Tx, user_id: Uuid) -> Result<Vec<String>, Error> {
    store::forget(tx, user_id).await?;
    let codes: Vec<RecoveryCode> = (0..COUNT).map(|_| RecoveryCode::generate()).collect();
    for code in &codes {
        store::insert(tx, user_id, code.hash().as_bytes()).await?;
    }
    Ok(codes.iter().map(RecoveryCode::written).collect())
}

/// Uses a code up, and says how many are left. `None`: it is none of this user's, or was used.
pub(crate) async fn spend(
    app: &App,
    tx: &mut Tx,
    user_id: Uuid,
    code: &RecoveryCode,
) -> Result<Option<i64>, Error> {
    if !store::spend(tx, user_id, code.hash().as_bytes(), app.clock.now()).await? {
        return Ok(None);
    }
    Ok(Some(store::left(&mut **tx, user_id).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_however_it_is_typed() {
        let code = RecoveryCode::generate();
        let written = code.written();
        assert_eq!(written.len(), 29);
        let spellings = [
            written.clone(),
            written.to_lowercase(),
            written.replace('-', ""),
            written.replace('-', " "),
            format!(" {written} "),
            written.replace('0', "o").replace('1', "l"),
            written.replace('0', "O").replace('1', "I"),
        ];
        for typed in spellings {
            let parsed = RecoveryCode::parse(typed.clone()).expect(&typed);
            assert_eq!(parsed.hash(), code.hash(), "{typed}");
        }
        for other in ["", "123456", &written[1..], "UUUU-UUUU-UUUU-UUUU-UUUU-UUUU"] {
            assert!(RecoveryCode::parse(other.to_owned()).is_none(), "{other}");
        }
    }
}
