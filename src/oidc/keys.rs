//! The keys that tokens are signed with: made before they are needed, published before they sign, kept while something
//! that they signed may still be shown.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rocket::tokio::task::spawn_blocking;
use serde_json::{Value, json};
use uuid::Uuid;

use super::clients::Alg;
use super::jwt::{self, Private, Signer};
use super::{issuer, store};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::{DAY, Timestamp};
use crate::foundation::error::Error;
use crate::foundation::secrets::{self, Sealed};

/// Relying parties keep what was published for a day.
const PUBLISHED_BEFORE: Duration = Duration::from_secs(48 * 60 * 60);
/// Longer than any token that it signed is good for.
const PUBLISHED_AFTER: Duration = DAY;
/// So long it is known whose a hint at a sign-out was.
const KNOWN_AFTER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A key as it is stored.
pub struct SigningKey {
    pub id: Uuid,
    pub kid: String,
    pub alg: Alg,
    pub private: Sealed,
    /// A JWK.
    pub public: String,
    pub active_from: Timestamp,
    /// When it signs no more.
    pub retired_at: Option<Timestamp>,
}

/// Keys that were opened.
#[derive(Default)]
pub struct Signers(RwLock<HashMap<Uuid, Arc<Signer>>>);

impl SigningKey {
    fn signs(&self, alg: Alg, now: Timestamp) -> bool {
        self.alg == alg && self.active_from <= now && self.retired_at.is_none_or(|at| at > now)
    }

    fn is_published(&self, now: Timestamp) -> bool {
        self.retired_at
            .is_none_or(|at| at.plus(PUBLISHED_AFTER) > now)
    }

    fn jwk(&self) -> Value {
        serde_json::from_str(&self.public).unwrap_or_default()
    }
}

/// Has a thread that is not the runtime's do it.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    spawn_blocking(work).await.map_err(|_| Error::Busy)
}

/// Makes the first keys, of each kind one.
///
/// # Errors
/// The database failed, or the key of the secrets is missing.
pub async fn make_if_missing(app: &App) -> Result<(), Error> {
    if store::signing_keys(app.db.reader()).await?.is_empty() {
        let now = app.clock.now();
        make(app, &Actor::operator(), now, true).await?;
    }
    Ok(())
}

/// Before the first request that needs one.
pub(super) async fn make_if_clients(app: &App) -> Result<(), Error> {
    if store::any_client(app.db.reader()).await? {
        make_if_missing(app).await?;
    }
    Ok(())
}

/// New keys: `at_once`, or once relying parties have seen them. Gives the time from which they sign.
///
/// # Errors
/// The database failed, or the key of the secrets is missing.
pub async fn rotate(app: &App, actor: &Actor, at_once: bool) -> Result<Timestamp, Error> {
    let now = app.clock.now();
    let from = if at_once {
        now
    } else {
        now.plus(PUBLISHED_BEFORE)
    };
    make(app, actor, from, false).await?;
    Ok(from)
}

async fn make(
    app: &App,
    actor: &Actor,
    active_from: Timestamp,
    only_first: bool,
) -> Result<(), Error> {
    let now = app.clock.now();
    let made: Vec<(Alg, Private)> = aside(|| {
        let kinds = [Alg::Rs256, Alg::Es256].into_iter();
        kinds.map(|alg| (alg, jwt::generate(alg))).collect()
    })
    .await?;
    let master = secrets::keys(app).await?;
    let mut tx = app.db.begin().await?;
    if only_first && !store::signing_keys(&mut *tx).await?.is_empty() {
        return Ok(());
    }
    store::retire_signing_keys(&mut tx, active_from).await?;
    for (alg, private) in made {
        let signer = Signer::of(alg, &private)
            .ok_or_else(|| Error::Secrets("a new signing key cannot be read".to_owned()))?;
        let (kid, public) = signer.jwk();
        let id = audit::new_id_at(now);
        let key = SigningKey {
            id,
            kid,
            alg,
            private: secrets::seal(app, &master, &mut tx, store::place(id), &private).await?,
            public: public.to_string(),
            active_from,
            retired_at: None,
        };
        store::insert_signing_key(&mut tx, &key, now).await?;
    }
    let record = Record::anonymous(Event::KeyRotate).detail("keys that sign");
    audit::commit(tx, now, actor, &[record]).await
}

/// What relying parties verify with.
pub(super) async fn published(app: &App) -> Result<Value, Error> {
    let now = app.clock.now();
    let keys = store::signing_keys(app.db.reader()).await?;
    let keys = keys.iter().filter(|key| key.is_published(now));
    let keys: Vec<Value> = keys.map(SigningKey::jwk).collect();
    Ok(json!({ "keys": keys }))
}

/// The ids of the keys that sign, now or once applications have seen them.
///
/// # Errors
/// The database failed.
pub async fn signing(app: &App) -> Result<Vec<String>, Error> {
    let now = app.clock.now();
    let keys = store::signing_keys(app.db.reader()).await?;
    let signs = |key: &SigningKey| key.retired_at.is_none_or(|at| at > now);
    Ok(keys.into_iter().filter(signs).map(|key| key.kid).collect())
}

/// Signs `claims` with the key of this kind that signs now.
pub(super) async fn sign(
    app: &App,
    alg: Alg,
    typ: &'static str,
    claims: Value,
) -> Result<String, Error> {
    let now = app.clock.now();
    let keys = store::signing_keys(app.db.reader()).await?;
    let key = keys
        .into_iter()
        .rfind(|key| key.signs(alg, now))
        .ok_or_else(|| {
            Error::Secrets(
                "there is no signing key yet; restart, or: vestibule key rotate --signing --now"
                    .to_owned(),
            )
        })?;
    let signer = signer(app, &key).await?;
    aside(move || signer.sign(&key.kid, typ, &claims)).await
}

async fn signer(app: &App, key: &SigningKey) -> Result<Arc<Signer>, Error> {
    let Signers(opened) = app.state::<Signers>();
    let known = opened
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key.id)
        .cloned();
    if let Some(signer) = known {
        return Ok(signer);
    }
    let private = secrets::open(app, store::place(key.id), &key.private).await?;
    let signer = Signer::of(key.alg, &private)
        .ok_or_else(|| Error::Secrets(format!("the signing key {} cannot be read", key.kid)))?;
    let signer = Arc::new(signer);
    let mut opened = opened.write().unwrap_or_else(PoisonError::into_inner);
    opened.insert(key.id, signer.clone());
    Ok(signer)
}

/// The claims of an id_token of ours, however old it is.
pub(super) async fn claims_of_id_token(app: &App, token: &str) -> Result<Option<Value>, Error> {
    let keys = store::signing_keys(app.db.reader()).await?;
    let keys: Vec<(String, Alg, Value)> = keys
        .into_iter()
        .map(|key| (key.kid.clone(), key.alg, key.jwk()))
        .collect();
    let token = token.to_owned();
    aside(move || {
        let keys = keys.iter().map(|(kid, alg, jwk)| (kid.as_str(), *alg, jwk));
        jwt::verify(&token, jwt::ID_TOKEN, keys)
    })
    .await
    .map(|claims| claims.filter(|claims| claims["iss"].as_str() == Some(&issuer(app))))
}

pub(super) fn known_since(now: Timestamp) -> Timestamp {
    now.minus(KNOWN_AFTER)
}
