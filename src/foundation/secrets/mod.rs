//! Secrets that the service reads again, such as those of TOTP: sealed with a key that is in no database.
//!
//! A key file holds one key or several. Which of them seals is in the database (`secret_keys`), with a proof of each key,
//! so that a wrong one is told at the start. Each purpose has a key of its own, derived from the one in the file, and
//! what is sealed opens in its own row and column alone.

mod file;
mod rotate;
mod store;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::app::{App, AppBuilder};
use super::db::Connection;
use super::error::Error;
use super::settings::{Secret, Settings};

pub use rotate::{Forgotten, Rotated, forget, give_up, rotate};

const KEY_BYTES: usize = 32;

/// Where one sealed value is: it opens there alone.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Table and column, like `totp.secret`.
    pub column: &'static str,
    pub row: Uuid,
}

/// What is stored of a sealed value.
#[derive(Clone, Debug)]
pub struct Sealed {
    pub key_id: i64,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// One key of the file.
pub(crate) struct Key {
    pub id: i64,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

/// The keys of this process, the first one of the file first.
pub(crate) struct Keys(Vec<Key>);

/// The keys, once they were asked for.
struct Keyring {
    source: Source,
    keys: RwLock<Option<Arc<Keys>>>,
}

enum Source {
    File(PathBuf),
    Environment(Secret),
    /// A database on a server, and no key named: each node would make its own.
    Nothing,
}

pub(super) fn setup(builder: &mut AppBuilder) {
    builder.manage(Keyring {
        source: Source::of(&builder.settings),
        keys: RwLock::new(None),
    });
}

impl Source {
    fn of(settings: &Settings) -> Self {
        let beside_database = || {
            let location = settings.location().ok()?;
            Some(location.path()?.with_file_name("vestibule.key"))
        };
        match (&settings.secrets.key, &settings.secrets.key_file) {
            (Some(key), _) => Self::Environment(key.clone()),
            (None, Some(path)) => Self::File(path.clone()),
            (None, None) => beside_database().map_or(Self::Nothing, Self::File),
        }
    }

    fn read(&self) -> Result<Keys, Error> {
        let keys = match self {
            Self::File(path) => file::read(path),
            Self::Environment(key) => {
                file::parse(key.reveal()).map_err(|fault| format!("VESTIBULE_SECRETS__KEY {fault}"))
            }
            Self::Nothing => Err("secrets.key_file: is needed with PostgreSQL, the same file on each node; make it with: \
                                  (umask 077; head -c 32 /dev/urandom | base64 > vestibule.key)"
                .to_owned()),
        };
        keys.map_err(Error::Secrets)
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Environment(_) | Self::Nothing => None,
        }
    }
}

/// The file that these settings have the key in, if it is one.
#[must_use]
pub fn key_file(settings: &Settings) -> Option<PathBuf> {
    Source::of(settings).path().map(Path::to_owned)
}

fn keyring(app: &App) -> &Keyring {
    app.state::<Keyring>()
}

/// Makes the keys ready: at the first start makes a key file and writes the proof of its key; later sees that each key that
/// the database needs is there.
///
/// # Errors
/// A key is missing, wrong or cannot be read, and the text says which; or the database failed. Nothing was changed.
pub async fn prepare(app: &App) -> Result<(), Error> {
    keys(app).await.map(|_| ())
}

pub(crate) async fn keys(app: &App) -> Result<Arc<Keys>, Error> {
    let keyring = keyring(app);
    let ready = keyring
        .keys
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if let Some(keys) = ready {
        return Ok(keys);
    }
    let proofs = store::proofs(app.db.reader()).await?;
    // Or the first one after the key was lost.
    let is_first_start = proofs.iter().all(|proof| proof.is_retired);
    if let (true, Some(path)) = (is_first_start, keyring.source.path()) {
        file::make_if_missing(path).map_err(Error::Secrets)?;
    }
    let keys = keyring.source.read()?;
    if is_first_start {
        store::insert_first(app, &keys.0[0]).await?;
    }
    for proof in store::proofs(app.db.reader()).await? {
        keys.check(&proof, keyring.source.path())?;
    }
    Ok(keyring.keep(keys))
}

impl Keyring {
    fn keep(&self, keys: Keys) -> Arc<Keys> {
        let keys = Arc::new(keys);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(keys.clone());
        keys
    }

    /// The key of this id, from a file that was changed since it was read, too.
    fn find<T>(&self, keys: &Arc<Keys>, id: i64, use_key: impl Fn(&Key) -> T) -> Result<T, Error> {
        if let Some(key) = keys.get(id) {
            return Ok(use_key(key));
        }
        let keys = self.keep(self.source.read()?);
        keys.get(id)
            .map(use_key)
            .ok_or_else(|| missing(id, self.source.path()))
    }
}

/// The ids of the keys that the file has now, for the other nodes; of those in memory while the file cannot be read.
pub(super) async fn known_ids(app: &App) -> Result<String, Error> {
    let keyring = keyring(app);
    let keys = match keyring.source.read() {
        Ok(keys) => keyring.keep(keys),
        Err(error) => {
            tracing::warn!("the keys in memory are used on: {error}");
            keys(app).await?
        }
    };
    let ids: Vec<String> = keys.0.iter().map(|key| name(key.id)).collect();
    Ok(ids.join(" "))
}

/// Seals `plain` with the key that seals now.
///
/// # Errors
/// The database failed, or this process lacks the key.
pub(crate) async fn seal(
    app: &App,
    keys: &Arc<Keys>,
    tx: &mut Connection,
    place: Place,
    plain: &[u8],
) -> Result<Sealed, Error> {
    let key_id = store::sealing(tx).await?;
    let bytes = keyring(app).find(keys, key_id, |key| key.seal(place, plain))?;
    Ok(Sealed { key_id, bytes })
}

/// Opens what was sealed at this place.
///
/// # Errors
/// This process lacks the key, or the value was sealed elsewhere: somebody moved it.
pub(crate) async fn open(
    app: &App,
    place: Place,
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let keys = keys(app).await?;
    let opened = keyring(app).find(&keys, sealed.key_id, |key| key.open(place, &sealed.bytes))?;
    opened.ok_or_else(|| {
        Error::Secrets(format!(
            "{} of {} does not open: it was changed, or sealed for another row",
            place.column, place.row
        ))
    })
}

/// How a key's id is written.
pub(crate) fn name(id: i64) -> String {
    format!("{id:08x}")
}

fn missing(id: i64, path: Option<&Path>) -> Error {
    let place = path.map_or_else(
        || "VESTIBULE_SECRETS__KEY".to_owned(),
        |path| path.display().to_string(),
    );
    Error::Secrets(format!(
        "{place} lacks the key {0}, with which secrets in the database are sealed; put it back from where you keep it, or, \
         if it is lost for good: vestibule key forget {0} --lost",
        name(id)
    ))
}

impl Keys {
    pub fn get(&self, id: i64) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }

    /// The first of the file is for new uses; what was made with another is still known.
    pub fn derived(&self, purpose: &str) -> impl Iterator<Item = [u8; KEY_BYTES]> {
        self.0.iter().map(move |key| key.derive(purpose))
    }

    fn check(&self, proof: &store::Proof, path: Option<&Path>) -> Result<(), Error> {
        let key = match self.get(proof.id) {
            Some(key) => key,
            None if proof.is_retired => return Ok(()),
            None => return Err(missing(proof.id, path)),
        };
        match key.open(PROOF, &proof.bytes) {
            Some(_) => Ok(()),
            None => Err(missing(proof.id, path)),
        }
    }
}

/// Where the proof of a key is: of no row, for its id is derived from the key.
const PROOF: Place = Place {
    column: "secret_keys.proof",
    row: Uuid::nil(),
};

impl Key {
    fn of(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let key = Self { id: 0, bytes };
        let [a, b, c, d, ..] = key.derive("id");
        Self {
            id: u32::from_be_bytes([a, b, c, d]).into(),
            ..key
        }
    }

    /// A key for one purpose, by HKDF-SHA-256.
    fn derive(&self, purpose: &str) -> [u8; KEY_BYTES] {
        let mut derived = [0; KEY_BYTES];
        let info = [b"vestibule ".as_slice(), purpose.as_bytes()];
        Salt::new(HKDF_SHA256, &[])
            .extract(&*self.bytes)
            .expand(&info, OneKey)
            .and_then(|okm| okm.fill(&mut derived))
            .expect("32 bytes are no more than HKDF gives");
        derived
    }

    fn aead(&self) -> LessSafeKey {
        let key = Zeroizing::new(self.derive("seal"));
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*key).expect("a key of 32 bytes"))
    }

    fn proof(&self) -> Vec<u8> {
        self.seal(PROOF, b"vestibule")
    }

    fn seal(&self, place: Place, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).expect("the operating system gives random bytes");
        let mut sealed = plain.to_vec();
        self.aead()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                place.aad(),
                &mut sealed,
            )
            .expect("a short text can be sealed");
        [nonce.as_slice(), &sealed].concat()
    }

    fn open(&self, place: Place, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .aead()
            .open_in_place(nonce, place.aad(), &mut text)
            .ok()?
            .len();
        text.truncate(length);
        Some(text)
    }
}

impl Place {
    fn aad(self) -> Aad<Vec<u8>> {
        Aad::from([self.column.as_bytes(), b"/", self.row.as_bytes()].concat())
    }
}

struct OneKey;

impl KeyType for OneKey {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", name(self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::of(Zeroizing::new([byte; KEY_BYTES]))
    }

    const HERE: Place = Place {
        column: "totp.secret",
        row: Uuid::max(),
    };

    #[test]
    fn key_02_a_sealed_value_opens_in_its_own_row_and_column_alone() {
        let sealed = key(1).seal(HERE, b"a secret");
        assert_eq!(
            key(1).open(HERE, &sealed).expect("its place").as_slice(),
            b"a secret"
        );
        let other_row = Place {
            row: Uuid::nil(),
            ..HERE
        };
        let other_column = Place {
            column: "oidc_keys.secret",
            ..HERE
        };
        assert!(key(1).open(other_row, &sealed).is_none());
        assert!(key(1).open(other_column, &sealed).is_none());
        assert!(key(2).open(HERE, &sealed).is_none());
        assert!(key(1).open(HERE, &sealed[..11]).is_none());
    }

    #[test]
    fn a_value_is_sealed_differently_each_time() {
        assert_ne!(key(1).seal(HERE, b"a"), key(1).seal(HERE, b"a"));
    }
}
