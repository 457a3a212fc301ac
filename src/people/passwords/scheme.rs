//! The ways in which other programs hash passwords: how much each may ask for, and takes.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use aws_lc_rs::pbkdf2;

/// What takes the time of a hash that is not argon2's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Bcrypt,
    Sha256Crypt,
    Sha512Crypt,
    Pbkdf2Sha1,
    Pbkdf2Sha256,
    Pbkdf2Sha512,
}

impl Scheme {
    pub const ALL: [Self; 6] = [
        Self::Bcrypt,
        Self::Sha256Crypt,
        Self::Sha512Crypt,
        Self::Pbkdf2Sha1,
        Self::Pbkdf2Sha256,
        Self::Pbkdf2Sha512,
    ];

    /// What a stored hash may ask for: what its library computes, and a few seconds at most.
    pub const fn rounds(self) -> RangeInclusive<u32> {
        match self {
            Self::Bcrypt => 1 << 4..=1 << 15,
            Self::Sha256Crypt | Self::Sha512Crypt => 1_000..=1_000_000,
            Self::Pbkdf2Sha1 | Self::Pbkdf2Sha256 | Self::Pbkdf2Sha512 => 1..=2_000_000,
        }
    }

    pub const fn output_bytes(self) -> usize {
        match self {
            Self::Bcrypt => 23,
            Self::Pbkdf2Sha1 => 20,
            Self::Sha256Crypt | Self::Pbkdf2Sha256 => 32,
            Self::Sha512Crypt | Self::Pbkdf2Sha512 => 64,
        }
    }

    /// Does as much as so many rounds take, about.
    pub fn spend(self, rounds: u32, password: &[u8]) {
        match self {
            Self::Bcrypt => {
                let costs = (4..u32::BITS).filter(|cost| rounds & (1 << cost) != 0);
                for cost in costs {
                    let _ = bcrypt::bcrypt(cost, [0; 16], b"as long as another");
                }
            }
            Self::Sha256Crypt => {
                if let Ok(params) = sha_crypt::Params::new(rounds) {
                    let _ = sha_crypt::sha256_crypt(password, SALT, params);
                }
            }
            Self::Sha512Crypt => {
                if let Ok(params) = sha_crypt::Params::new(rounds) {
                    let _ = sha_crypt::sha512_crypt(password, SALT, params);
                }
            }
            Self::Pbkdf2Sha1 => derive(pbkdf2::PBKDF2_HMAC_SHA1, rounds, password, &mut [0; 20]),
            Self::Pbkdf2Sha256 => {
                derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, password, &mut [0; 32])
            }
            Self::Pbkdf2Sha512 => {
                derive(pbkdf2::PBKDF2_HMAC_SHA512, rounds, password, &mut [0; 64])
            }
        }
    }
}

/// As long as the salts are that programs make: each round of SHA-crypt hashes it, too.
const SALT: &[u8; 16] = b"sixteen letters.";

fn derive(algorithm: pbkdf2::Algorithm, rounds: u32, password: &[u8], output: &mut [u8]) {
    if let Some(rounds) = NonZeroU32::new(rounds) {
        pbkdf2::derive(algorithm, rounds, SALT, password, output);
    }
}
