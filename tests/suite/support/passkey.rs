//! A device with passkeys, and the browser that asks it: of our own, over aws-lc-rs, so that each byte of an answer can be
//! forged. It shares no code with the library that checks the answers; that real ones are taken is what the tests at a real
//! Chromium hold (`browser::passkeys`).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Answer, Client, ORIGIN};

pub const UP: u8 = 0x01;
pub const UV: u8 = 0x04;
pub const BE: u8 = 0x08;
pub const BS: u8 = 0x10;
const AT: u8 = 0x40;

/// One passkey, and what its device says when it is asked. Each field may be forged.
pub struct Passkey {
    key: Key,
    pub id: Vec<u8>,
    pub user_handle: Option<Vec<u8>>,
    pub rp_id: String,
    pub origin: String,
    pub flags: u8,
    pub counter: u32,
    /// What it says its key is good for.
    pub algorithm: i64,
    /// For `crossOrigin` of what the browser says.
    pub cross_origin: bool,
    /// In place of the type that fits.
    pub ceremony: Option<&'static str>,
}

enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl Passkey {
    /// One that counts its uses and is on one device.
    pub fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        Self::of(Key::Es256(key), -7)
    }

    pub fn ed25519() -> Self {
        Self::of(Key::EdDsa(Ed25519KeyPair::generate().expect("a key")), -8)
    }

    pub fn rsa() -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        Self::of(Key::Rs256(key), -257)
    }

    fn of(key: Key, algorithm: i64) -> Self {
        let mut id = vec![0; 16];
        getrandom::fill(&mut id).expect("random bytes");
        Self {
            key,
            id,
            user_handle: None,
            rp_id: "auth.example.com".to_owned(),
            origin: ORIGIN.to_owned(),
            flags: UP | UV,
            counter: 1,
            algorithm,
            cross_origin: false,
            ceremony: None,
        }
    }

    /// What a browser posts that was asked for a new passkey.
    pub fn create(&mut self, options: &Value) -> String {
        let handle = options["user"]["id"].as_str().expect("a user");
        self.user_handle = Some(URL_SAFE_NO_PAD.decode(handle).expect("base64"));
        let client_data = self.client_data("webauthn.create", options);
        let length = u16::try_from(self.id.len())
            .expect("a length")
            .to_be_bytes();
        let data = [
            self.authenticator_data(AT),
            vec![0; 16],
            length.to_vec(),
            self.id.clone(),
            self.cose_key(),
        ];
        let object = [
            vec![0xa3],
            text("fmt"),
            text("none"),
            text("attStmt"),
            vec![0xa0],
            text("authData"),
            bytes(&data.concat()),
        ];
        json!({
            "rawId": encode(&self.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encode(&client_data),
                "attestationObject": encode(object.concat()),
                "transports": ["internal", "hybrid", "something-new"],
            },
        })
        .to_string()
    }

    /// What a browser posts that was asked for a proof. The use is counted.
    pub fn get(&mut self, options: &Value) -> String {
        if self.counter != 0 {
            self.counter += 1;
        }
        self.get_again(options)
    }

    /// The same without counting.
    pub fn get_again(&self, options: &Value) -> String {
        let client_data = self.client_data("webauthn.get", options);
        let data = self.authenticator_data(0);
        let signed = [data.clone(), Sha256::digest(&client_data).to_vec()].concat();
        json!({
            "rawId": encode(&self.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encode(&client_data),
                "authenticatorData": encode(&data),
                "signature": encode(self.sign(&signed)),
                "userHandle": self.user_handle.as_deref().map(encode),
            },
        })
        .to_string()
    }

    fn client_data(&self, ceremony: &str, options: &Value) -> Vec<u8> {
        json!({
            "type": self.ceremony.unwrap_or(ceremony),
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        })
        .to_string()
        .into_bytes()
    }

    fn authenticator_data(&self, more: u8) -> Vec<u8> {
        let mut data = Sha256::digest(&self.rp_id).to_vec();
        data.push(self.flags | more);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Es256(key) => key
                .sign(&random, message)
                .expect("a signature")
                .as_ref()
                .to_vec(),
            Key::EdDsa(key) => key.sign(message).as_ref().to_vec(),
            Key::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("a signature");
                signature
            }
        }
    }

    /// RFC 9053; small numbers are one byte, or two and three.
    fn cose_key(&self) -> Vec<u8> {
        let (kind, rest) = match &self.key {
            Key::Es256(key) => {
                let point = key.public_key().as_ref();
                let (x, y) = point[1..].split_at(32);
                (2, vec![(-1, number(1)), (-2, bytes(x)), (-3, bytes(y))])
            }
            Key::EdDsa(key) => {
                let x = key.public_key().as_ref();
                (1, vec![(-1, number(6)), (-2, bytes(x))])
            }
            Key::Rs256(key) => {
                let (n, e) = rsa_numbers(key.public_key().as_ref());
                (3, vec![(-1, bytes(&n)), (-2, bytes(&e))])
            }
        };
        let mut map = vec![0xa0 + 2 + u8::try_from(rest.len()).expect("few")];
        map.extend([number(1), number(kind), number(3), number(self.algorithm)].concat());
        for (label, value) in rest {
            map.extend(number(label));
            map.extend(value);
        }
        map
    }
}

/// Modulus and exponent out of an RSAPublicKey of 2,048 bits in DER, whose lengths are where they always are.
fn rsa_numbers(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    // SEQUENCE, its length in two bytes; INTEGER of 257 bytes, the first of them 0; INTEGER of 3.
    (der[9..9 + 256].to_vec(), der[der.len() - 3..].to_vec())
}

/// The beginning of a CBOR item (RFC 8949).
fn head(major: u8, value: u64) -> Vec<u8> {
    let major = major << 5;
    match value {
        0..24 => vec![major | value as u8],
        24..256 => vec![major | 24, value as u8],
        _ => {
            let short = u16::try_from(value).expect("a short item").to_be_bytes();
            vec![major | 25, short[0], short[1]]
        }
    }
}

fn number(value: i64) -> Vec<u8> {
    match u64::try_from(value) {
        Ok(value) => head(0, value),
        Err(_) => head(1, (-1 - value).unsigned_abs()),
    }
}

fn bytes(value: &[u8]) -> Vec<u8> {
    [head(2, value.len() as u64), value.to_vec()].concat()
}

fn text(value: &str) -> Vec<u8> {
    [head(3, value.len() as u64), value.as_bytes().to_vec()].concat()
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a page asks a passkey for; `None` if it asks for none.
pub fn asked(page: &Answer) -> Option<Value> {
    let (_, rest) = page.body.split_once("data-options=\"")?;
    let (escaped, _) = rest.split_once('"')?;
    let json = escaped
        .replace("&quot;", "\"")
        .replace("&#x2f;", "/")
        .replace("&#x27;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    Some(serde_json::from_str(&json).expect("options in JSON"))
}

impl Client {
    /// What the page at this path asks a passkey for.
    pub async fn asked_at(&mut self, path: &str) -> Value {
        let page = self.get(path).await;
        asked(&page).unwrap_or_else(|| panic!("{path} asks for no passkey: {}", page.body))
    }

    /// A new passkey for the user who is signed in.
    pub async fn add_passkey(&mut self) -> Passkey {
        let mut passkey = Passkey::new();
        let answer = self.register(&mut passkey).await;
        assert!([200, 303].contains(&answer.status), "{}", answer.body);
        passkey
    }

    pub async fn register(&mut self, passkey: &mut Passkey) -> Answer {
        let options = self.asked_at("/account/passkeys").await;
        let answer = passkey.create(&options);
        self.post("/account/passkeys", &[("assertion", &answer)])
            .await
    }

    /// Signs in by a passkey, from the sign-in page.
    pub async fn sign_in_by(&mut self, passkey: &mut Passkey) -> Answer {
        let options = self.asked_at("/login?switch").await;
        let answer = passkey.get(&options);
        self.post("/login/passkey", &[("assertion", &answer)]).await
    }
}
