//! Hashes that other programs made: verified as they are, and replaced when their owner signs in.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose::STANDARD};
use sha_crypt::{PasswordVerifier as _, ShaCrypt};

use super::scheme::Scheme;

/// A stored hash of another program's, which asks for no more than it may.
#[derive(Debug)]
pub struct Foreign<'a> {
    pub scheme: Scheme,
    pub rounds: u32,
    body: Body<'a>,
}

#[derive(Debug)]
enum Body<'a> {
    /// The whole text, which its library reads.
    Whole(&'a str),
    Pbkdf2 {
        salt: Vec<u8>,
        output: Vec<u8>,
    },
}

impl<'a> Foreign<'a> {
    /// `None`: it is of no kind that is known here, is malformed, or asks for too much.
    pub fn parse(text: &'a str) -> Option<Self> {
        let foreign = match text.split_once('$')? {
            ("", rest) => Self::parse_crypt(text, rest),
            (django, rest) => Self::parse_django(django, rest),
        }?;
        let is_fair = foreign.scheme.rounds().contains(&foreign.rounds);
        is_fair.then_some(foreign)
    }

    /// As crypt and its like write it, `$id$…`.
    fn parse_crypt(text: &'a str, rest: &'a str) -> Option<Self> {
        let (id, rest) = rest.split_once('$')?;
        let whole = |scheme, rounds| Self {
            scheme,
            rounds,
            body: Body::Whole(text),
        };
        match id {
            "2a" | "2b" | "2x" | "2y" => {
                let parts: bcrypt::HashParts = text.parse().ok()?;
                let rounds = 1_u32.checked_shl(parts.get_cost())?;
                Some(whole(Scheme::Bcrypt, rounds))
            }
            "5" | "6" => {
                let (scheme, length) = match id {
                    "5" => (Scheme::Sha256Crypt, 43),
                    _ => (Scheme::Sha512Crypt, 86),
                };
                let (rounds, rest) = match rest.strip_prefix("rounds=") {
                    Some(rest) => rest.split_once('$')?,
                    None => ("5000", rest),
                };
                let rounds = rounds.parse().ok()?;
                let (salt, output) = rest.split_once('$')?;
                let is_read =
                    salt.len() <= 16 && output.len() == length && output.bytes().all(is_of_crypt);
                is_read.then(|| whole(scheme, rounds))
            }
            "pbkdf2" | "pbkdf2-sha256" | "pbkdf2-sha512" => {
                let mut fields = rest.split('$');
                let rounds = fields.next()?.parse().ok()?;
                let salt = adapted_base64(fields.next()?)?;
                let output = adapted_base64(fields.next()?)?;
                let scheme = match id {
                    "pbkdf2" => Scheme::Pbkdf2Sha1,
                    "pbkdf2-sha256" => Scheme::Pbkdf2Sha256,
                    _ => Scheme::Pbkdf2Sha512,
                };
                Self::pbkdf2(scheme, rounds, salt, output, fields.next())
            }
            _ => None,
        }
    }

    /// `pbkdf2_sha256$600000$salt$output`, where the salt is text.
    fn parse_django(id: &str, rest: &str) -> Option<Self> {
        let scheme = match id {
            "pbkdf2_sha1" => Scheme::Pbkdf2Sha1,
            "pbkdf2_sha256" => Scheme::Pbkdf2Sha256,
            _ => return None,
        };
        let mut fields = rest.split('$');
        let rounds = fields.next()?.parse().ok()?;
        let salt = fields.next()?.as_bytes().to_vec();
        let output = STANDARD.decode(fields.next()?).ok()?;
        Self::pbkdf2(scheme, rounds, salt, output, fields.next())
    }

    fn pbkdf2(
        scheme: Scheme,
        rounds: u32,
        salt: Vec<u8>,
        output: Vec<u8>,
        more: Option<&str>,
    ) -> Option<Self> {
        // Of a cut output the beginning would do.
        let is_whole = more.is_none() && output.len() == scheme.output_bytes() && !salt.is_empty();
        is_whole.then_some(Self {
            scheme,
            rounds,
            body: Body::Pbkdf2 { salt, output },
        })
    }

    /// Compared in constant time.
    pub fn is_of(&self, password: &[u8]) -> bool {
        match (&self.body, NonZeroU32::new(self.rounds)) {
            (Body::Pbkdf2 { salt, output }, Some(rounds)) => {
                let algorithm = match self.scheme {
                    Scheme::Pbkdf2Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
                    Scheme::Pbkdf2Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
                    _ => pbkdf2::PBKDF2_HMAC_SHA256,
                };
                pbkdf2::verify(algorithm, rounds, salt, password, output).is_ok()
            }
            (Body::Whole(text), _) if self.scheme == Scheme::Bcrypt => {
                bcrypt::verify(password, text).unwrap_or(false)
            }
            (Body::Whole(text), _) => ShaCrypt::default().verify_password(password, *text).is_ok(),
            (Body::Pbkdf2 { .. }, None) => false,
        }
    }
}

const fn is_of_crypt(letter: u8) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'/')
}

/// Base64 without padding and with `.` for `+`, as passlib and Authelia write it.
fn adapted_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.replace('.', "+");
    let unpadded =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        unpadded.with_decode_allow_trailing_bits(true),
    );
    engine.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "correct horse battery";

    /// Made by passlib.
    const HASHES: [(&str, Scheme, u32); 6] = [
        (
            "$2y$05$YkehZCN1s3MTlwZrhMi5uuQJkouOEkYV0WOQY8kF18vrFUCA/Ua9S",
            Scheme::Bcrypt,
            32,
        ),
        (
            "$5$guX6fXqI77EUpQsP$5WfQmyo1vdY5bqz/oWmWRHchsxio/k3H91CpB8mYEY.",
            Scheme::Sha256Crypt,
            5_000,
        ),
        (
            "$6$rounds=6000$PAn4c5UqAKZa1yUa$2l4EjRacrIEY.xEQCR7uAye8VGavoq9yZ1tZyF/1NCHWTSGQxdrZLcQ90ylq2DW8R5LSotjWVOrMkNTrXPhcO1",
            Scheme::Sha512Crypt,
            6_000,
        ),
        (
            "$pbkdf2-sha512$3100$ByCkVIqREmLs/R8DAECIcQ$SMMfmzaFoOXTydX/ywVzeyNE7W86iwR1k6Cg/86c7DWQyywHdlGGvBuopNrVlA2vLqLLeC1YdtZjkcBlR9ITDQ",
            Scheme::Pbkdf2Sha512,
            3_100,
        ),
        (
            "$pbkdf2$3100$YwwB4DxHyLm3di5FKEXo/Q$.q9vIhNIuX4LqmE4BqXcLDnegtg",
            Scheme::Pbkdf2Sha1,
            3_100,
        ),
        (
            "pbkdf2_sha256$2600$7zd4FXHm492i$YJhM4sgZ2UdDeNZ2cOhLEkZflhgWmR8FqWzoA/+anXs=",
            Scheme::Pbkdf2Sha256,
            2_600,
        ),
    ];

    #[test]
    fn a_hash_of_another_program_is_read_and_verified() {
        for (text, scheme, rounds) in HASHES {
            let foreign = Foreign::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((foreign.scheme, foreign.rounds), (scheme, rounds), "{text}");
            assert!(foreign.is_of(PASSWORD.as_bytes()), "{text}");
            assert!(!foreign.is_of(b"correct horse batterx"), "{text}");
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_read_as_nothing_or_is_of_no_password() {
        for (text, ..) in HASHES {
            for length in 0..text.len() {
                let cut = Foreign::parse(&text[..length]);
                assert!(
                    !cut.is_some_and(|cut| cut.is_of(PASSWORD.as_bytes())),
                    "{text} {length}"
                );
            }
        }
    }

    #[test]
    fn a_hash_that_asks_for_too_much_or_too_little_is_not_taken() {
        for text in [
            "$2b$03$abcdefghijklmnopqrstuuFvr6mSTfdZ.P.t4T.ftHdU0.M5pGDgK",
            "$2b$20$abcdefghijklmnopqrstuuFvr6mSTfdZ.P.t4T.ftHdU0.M5pGDgK",
            "$6$rounds=999999999$salt$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "$pbkdf2-sha512$4000000000$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
            "pbkdf2_sha256$0$salt$c2FsdHNhbHRzYWx0c2FsdA==",
        ] {
            assert!(Foreign::parse(text).is_none(), "{text}");
        }
    }
}
