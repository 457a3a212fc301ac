//! What browsers are asked, and whether what they answer is right. The only place that knows the library behind it.
//!
//! The library compares origin and RP id exactly, and checks the signature and the flags. It keeps neither time nor
//! counter for us: challenges are ours ([`Challenge`]), and so is the judgement of what is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passki::{
    AuthenticationCredential, AuthenticationOptions, ClientData, Passki, PasskiError,
    RegistrationCredential, RegistrationOptions, ResidentKeyRequirement, StoredPasskey,
    UserVerificationRequirement,
};
use serde_json::json;
use uuid::Uuid;

use super::challenge::Challenge;
use super::{Owner, Passkey, Refused};
use crate::foundation::settings::Settings;

/// How long a browser waits for a person, in milliseconds.
const TIMEOUT: u64 = 5 * 60 * 1_000;

/// The algorithms that browsers are asked for: EdDSA, ES256, ES384, RS256, RS384.
const ALGORITHMS: [i32; 5] = [-8, -7, -35, -257, -258];

/// The specification allows no longer ids (WebAuthn L3, 7.1).
const LONGEST_ID: usize = 1023;

/// Bits of the flags that an authenticator sends.
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
/// Where they stand: after the hash of the RP id.
const FLAGS: usize = 32;

/// The host that passkeys are made for.
pub(super) fn rp_id(settings: &Settings) -> &str {
    settings.url().host_str().unwrap_or_default()
}

fn relying_party(settings: &Settings) -> Passki {
    let origin = settings.url().origin().ascii_serialization();
    Passki::new(rp_id(settings), &[origin], "Vestibule")
}

/// What a browser is asked for a proof with: one of these passkeys, or any of its own if none are named.
pub(super) fn request_options(
    settings: &Settings,
    challenge: &Challenge,
    allowed: &[Passkey],
) -> String {
    let stored: Vec<StoredPasskey> = allowed.iter().map(stored).collect();
    let (mut asked, _) = relying_party(settings)
        .start_passkey_authentication(&stored, request())
        .expect("no extension is asked for");
    asked.challenge = URL_SAFE_NO_PAD.encode(challenge.bytes());
    json!(asked).to_string()
}

/// What a browser makes a new passkey from, if its device has none of the user's yet.
pub(super) fn creation_options(
    settings: &Settings,
    challenge: &Challenge,
    owner: Owner<'_>,
    own: &[Passkey],
) -> String {
    let stored: Vec<StoredPasskey> = own.iter().map(stored).collect();
    let mut options = creation();
    options.exclude_credentials = Some(&stored);
    let (mut asked, _) = relying_party(settings)
        .start_passkey_registration(
            owner.id.as_bytes(),
            owner.username,
            owner.shown_name,
            options,
        )
        .expect("an id has 16 bytes");
    asked.challenge = URL_SAFE_NO_PAD.encode(challenge.bytes());
    json!(asked).to_string()
}

fn request() -> AuthenticationOptions {
    let mut options = AuthenticationOptions::default();
    options.timeout = TIMEOUT;
    options.user_verification = UserVerificationRequirement::Required;
    options
}

fn creation<'a>() -> RegistrationOptions<'a> {
    let mut options = RegistrationOptions::default();
    options.timeout = TIMEOUT;
    options.resident_key = ResidentKeyRequirement::Required;
    options.user_verification = UserVerificationRequirement::Required;
    options
}

/// An answer that asks to be believed.
pub(super) struct Assertion {
    answer: AuthenticationCredential,
    pub credential_id: Vec<u8>,
    pub user_handle: Option<Vec<u8>>,
    /// What was signed, as far as the answer says.
    pub challenge: Vec<u8>,
    flags: u8,
}

/// What a right answer says of its passkey.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub counter: u32,
    pub backup_eligible: bool,
    pub backed_up: bool,
}

impl Assertion {
    /// `None`: a browser does not write it so.
    pub fn read(json: &str) -> Option<Self> {
        let answer: AuthenticationCredential = serde_json::from_str(json).ok()?;
        let data = decode(&answer.response.authenticator_data)?;
        decode(&answer.response.signature)?;
        let user_handle = match &answer.response.user_handle {
            Some(handle) => Some(decode(handle)?),
            None => None,
        };
        Some(Self {
            credential_id: decode(&answer.raw_id)?,
            user_handle,
            challenge: signed_challenge(&answer.response.client_data_json)?,
            flags: *data.get(FLAGS)?,
            answer,
        })
    }

    /// Whether it was made by this passkey, for this host, with the person's consent and recognition.
    pub fn verify(
        &self,
        settings: &Settings,
        challenge: &Challenge,
        passkey: &Passkey,
    ) -> Result<Use, Refused> {
        let relying_party = relying_party(settings);
        // The counter is judged by what is stored at the time of the write. Here any is right, for the library looks at it
        // before the signature, and a counter that nobody signed accuses nobody.
        let mut passkey = stored(passkey);
        passkey.counter = 0;
        let (_, mut asked) = relying_party
            .start_passkey_authentication(std::slice::from_ref(&passkey), request())
            .map_err(refused)?;
        asked.challenge = challenge.bytes().to_vec();
        let proven = relying_party
            .finish_passkey_authentication(&self.answer, &asked, &passkey)
            .map_err(refused)?;
        Ok(Use {
            counter: proven.counter,
            backup_eligible: self.flags & BACKUP_ELIGIBLE != 0,
            backed_up: self.flags & BACKED_UP != 0,
        })
    }
}

/// A passkey that asks to be kept.
pub(super) struct Attestation {
    answer: RegistrationCredential,
    pub challenge: Vec<u8>,
}

/// What a right one brings along.
pub(super) struct Made {
    pub credential_id: Vec<u8>,
    pub public_key: Vec<u8>,
    pub algorithm: i32,
    pub counter: u32,
    pub aaguid: [u8; 16],
    pub transports: String,
    pub backup_eligible: bool,
    pub backed_up: bool,
}

impl Attestation {
    /// `None`: a browser does not write it so.
    pub fn read(json: &str) -> Option<Self> {
        let answer: RegistrationCredential = serde_json::from_str(json).ok()?;
        Some(Self {
            challenge: signed_challenge(&answer.response.client_data_json)?,
            answer,
        })
    }

    /// Whose it is counts at its challenge.
    pub fn verify(&self, settings: &Settings, challenge: &Challenge) -> Result<Made, Refused> {
        let relying_party = relying_party(settings);
        let (_, mut asked) = relying_party
            .start_passkey_registration(Uuid::nil().as_bytes(), "", "", creation())
            .map_err(refused)?;
        asked.challenge = challenge.bytes().to_vec();
        let made = relying_party
            .finish_passkey_registration(&self.answer, &asked)
            .map_err(refused)?;
        // The library takes a key of any kind, and would only fail to use it.
        if !ALGORITHMS.contains(&made.algorithm) {
            return Err(refused(PasskiError::UnsupportedAlgorithm(made.algorithm)));
        }
        if made.credential_id.is_empty() || made.credential_id.len() > LONGEST_ID {
            return Err(Refused::Malformed);
        }
        Ok(Made {
            transports: words(&json!(made.transports)),
            credential_id: made.credential_id,
            public_key: made.public_key,
            algorithm: made.algorithm,
            counter: made.counter,
            aaguid: made.aaguid,
            backup_eligible: made.be,
            backed_up: made.bs,
        })
    }
}

fn refused(error: PasskiError) -> Refused {
    match error {
        PasskiError::UserVerificationRequired => Refused::Unverified,
        PasskiError::Base64Decode(_)
        | PasskiError::InvalidClientDataJson(_)
        | PasskiError::CborDecode(_)
        | PasskiError::MissingClientDataField(_)
        | PasskiError::InvalidClientDataType(_)
        | PasskiError::InvalidAuthenticatorData
        | PasskiError::InvalidAttestationObject(_)
        | PasskiError::NoAttestedCredentialData => Refused::Malformed,
        wrong => Refused::Wrong(wrong.to_string()),
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn signed_challenge(client_data: &str) -> Option<Vec<u8>> {
    decode(&ClientData::from_base64(client_data).ok()?.challenge)
}

fn stored(passkey: &Passkey) -> StoredPasskey {
    let mut stored = StoredPasskey::default();
    stored.credential_id.clone_from(&passkey.credential_id);
    stored.public_key.clone_from(&passkey.public_key);
    stored.algorithm = i32::try_from(passkey.algorithm).unwrap_or_default();
    stored.counter = u32::try_from(passkey.counter).unwrap_or(u32::MAX);
    let words: Vec<&str> = passkey.transports.split(',').collect();
    // Unknown words name no transport.
    let known = words
        .iter()
        .filter_map(|word| serde_json::from_value(json!(word)).ok());
    stored.transports = known.collect();
    stored
}

/// A list of words as a text with commas.
fn words(list: &serde_json::Value) -> String {
    let words = list.as_array().into_iter().flatten();
    let words: Vec<&str> = words.filter_map(serde_json::Value::as_str).collect();
    words.join(",")
}
