//! JSON Web Tokens, as far as a provider signs them and reads its own again.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::clients::Alg;
use crate::foundation::token::TokenHash;

/// A private key that is ready to sign.
pub enum Signer {
    Rs256(rsa::KeyPair),
    Es256(EcdsaKeyPair),
}

/// A private key as PKCS#8.
pub type Private = Zeroizing<Vec<u8>>;

const WORKS: &str = "a key of this length can be made, and signs";

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn sha256_hash(bytes: &[u8]) -> TokenHash {
    TokenHash::from_bytes(&Sha256::digest(bytes)).expect("SHA-256 has 32 bytes")
}

/// SHA-256 as base64url: challenges of PKCE and thumbprints.
pub fn sha256_text(bytes: &[u8]) -> String {
    text(&Sha256::digest(bytes))
}

/// The left half of the hash of a token, for the id_token that comes with it (OpenID Connect Core, 3.1.3.6).
pub fn half_hash(token: &str) -> String {
    text(&Sha256::digest(token)[..16])
}

/// A new private key. Takes up to a second: not for the runtime's threads.
pub fn generate(alg: Alg) -> Private {
    Zeroizing::new(match alg {
        Alg::Rs256 => {
            let pair = rsa::KeyPair::generate(KeySize::Rsa2048).expect(WORKS);
            AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)
                .expect(WORKS)
                .as_ref()
                .to_vec()
        }
        Alg::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .expect(WORKS)
                .as_ref()
                .to_vec()
        }
    })
}

impl Signer {
    pub fn of(alg: Alg, private: &[u8]) -> Option<Self> {
        match alg {
            Alg::Rs256 => rsa::KeyPair::from_pkcs8(private).ok().map(Self::Rs256),
            Alg::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private)
                .ok()
                .map(Self::Es256),
        }
    }

    /// The public half as a JWK (RFC 7517), with its thumbprint (RFC 7638) as its id.
    pub fn jwk(&self) -> (String, Value) {
        let (alg, needed) = match self {
            Self::Rs256(pair) => {
                let (n, e) = rsa_numbers(pair.public_key().as_ref()).expect(WORKS);
                (
                    Alg::Rs256,
                    json!({ "e": text(e), "kty": "RSA", "n": text(n) }),
                )
            }
            Self::Es256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at(32);
                (
                    Alg::Es256,
                    json!({ "crv": "P-256", "kty": "EC", "x": text(x), "y": text(y) }),
                )
            }
        };
        // Its members stand in the order of their names, as a thumbprint wants them.
        let kid = sha256_text(needed.to_string().as_bytes());
        let mut jwk = needed;
        jwk["alg"] = alg.as_str().into();
        jwk["use"] = "sig".into();
        jwk["kid"] = kid.as_str().into();
        (kid, jwk)
    }

    /// A signed token. Takes up to a millisecond: not for the runtime's threads.
    pub fn sign(&self, kid: &str, typ: &str, claims: &Value) -> String {
        let alg = match self {
            Self::Rs256(_) => Alg::Rs256,
            Self::Es256(_) => Alg::Es256,
        };
        let header = json!({ "alg": alg.as_str(), "kid": kid, "typ": typ });
        let signed = format!(
            "{}.{}",
            text(header.to_string().as_bytes()),
            text(claims.to_string().as_bytes())
        );
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    signed.as_bytes(),
                    &mut signature,
                )
                .expect(WORKS);
                signature
            }
            Self::Es256(pair) => pair
                .sign(&random, signed.as_bytes())
                .expect(WORKS)
                .as_ref()
                .to_vec(),
        };
        format!("{signed}.{}", text(&signature))
    }
}

/// Modulus and exponent out of an RSAPublicKey (RFC 8017, A.1.1).
fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = der_value(0x30, der)?;
    let (n, rest) = der_value(0x02, sequence)?;
    let (e, _) = der_value(0x02, rest)?;
    // A number whose first bit is set has a zero before it.
    Some((n.strip_prefix(&[0]).unwrap_or(n), e))
}

/// The value that DER begins with, and what follows.
fn der_value(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[first, length], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match length {
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => {
            let (&[high, low], rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes([high, low])), rest)
        }
        length => (usize::from(length), rest),
    };
    (first == tag).then_some(())?;
    rest.split_at_checked(length)
}

/// An id_token's; a logout token has another, so that neither is taken for the other.
pub const ID_TOKEN: &str = "JWT";

/// The claims of a token of this kind that one of these keys signed. Neither what it says of its algorithm nor a key that it
/// brings along counts: the key says how it is verified.
pub fn verify<'k>(
    token: &str,
    typ: &str,
    keys: impl IntoIterator<Item = (&'k str, Alg, &'k Value)>,
) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
    let (_, alg, jwk) = keys
        .into_iter()
        .find(|(kid, ..)| header["kid"].as_str() == Some(kid))?;
    if header["alg"].as_str() != Some(alg.as_str()) || header["typ"].as_str() != Some(typ) {
        return None;
    }
    let number = |name: &str| decode(jwk[name].as_str()?);
    let signature = decode(signature)?;
    match alg {
        Alg::Rs256 => {
            let (n, e) = (number("n")?, number("e")?);
            let key = rsa::PublicKeyComponents { n, e };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
                .ok()?;
        }
        Alg::Es256 => {
            let point = [vec![4], number("x")?, number("y")?].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(signed.as_bytes(), &signature)
                .ok()?;
        }
    }
    let claims: Value = serde_json::from_slice(&decode(claims)?).ok()?;
    claims.is_object().then_some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oid_02_only_what_the_key_itself_signed_is_read() {
        for alg in [Alg::Rs256, Alg::Es256] {
            let signer = Signer::of(alg, &generate(alg)).expect("a key");
            let (kid, jwk) = signer.jwk();
            let token = signer.sign(&kid, ID_TOKEN, &json!({ "sub": "alice" }));
            let read = |token: &str| verify(token, ID_TOKEN, [(kid.as_str(), alg, &jwk)]);
            assert_eq!(read(&token).expect("the claims")["sub"], "alice");
            let parts: Vec<&str> = token.split('.').collect();
            let with = |header: Value, claims: &str, signature: &str| {
                format!(
                    "{}.{claims}.{signature}",
                    text(header.to_string().as_bytes())
                )
            };
            let mallory = text(br#"{"sub":"mallory"}"#);
            let other = Signer::of(alg, &generate(alg)).expect("a key");
            for forged in [
                with(json!({ "alg": "none", "kid": kid }), parts[1], ""),
                with(json!({ "alg": "none" }), parts[1], ""),
                with(json!({ "alg": "HS256", "kid": kid }), parts[1], parts[2]),
                with(
                    json!({ "alg": alg.as_str(), "kid": kid }),
                    &mallory,
                    parts[2],
                ),
                with(
                    json!({ "alg": alg.as_str(), "kid": "other" }),
                    parts[1],
                    parts[2],
                ),
                with(
                    json!({ "alg": alg.as_str(), "kid": kid, "jku": "https://evil.test/" }),
                    parts[1],
                    parts[2],
                ),
                other.sign(&kid, ID_TOKEN, &json!({ "sub": "alice" })),
                signer.sign(&kid, "logout+jwt", &json!({ "sub": "alice" })),
                signer.sign(&kid, ID_TOKEN, &json!("alice")),
                format!("{token}A"),
                format!("{token}."),
                format!("{}.{}", parts[0], parts[1]),
                parts[1].to_owned(),
                String::new(),
            ] {
                assert_eq!(read(&forged), None, "{forged}");
            }
        }
    }
}
