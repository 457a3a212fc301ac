//! Changing the key: the new one is in every node's file before anything is sealed with it, and the old one stays until it
//! is forgotten.

use super::store::{self, COLUMNS};
use super::{Key, Place, file, keyring, name};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::nodes_without_key;
use crate::foundation::error::Error;

/// What became of a rotation.
#[derive(Debug, PartialEq, Eq)]
pub enum Rotated {
    /// So many secrets are sealed with the new key; the old one stays in the file, for backups.
    Done {
        new: String,
        old: String,
        secrets: usize,
    },
    /// The new key is in this node's file, and not in that of these nodes.
    Waiting { new: String, nodes: Vec<String> },
    /// The keys come from the environment, and there is no new one first.
    NoNewKey,
    /// The file has as many keys as one may have.
    TooMany,
}

/// Their text is read as one secret, which has 4,096 bytes at most.
const MOST_KEYS: usize = 80;

/// Seals everything with a new key: the first one of the file, if that does not seal yet, otherwise one that is made now.
///
/// # Errors
/// The file cannot be written, or the database failed: then all is sealed with the old key.
pub async fn rotate(app: &App, actor: &Actor) -> Result<Rotated, Error> {
    super::keys(app).await?;
    let keyring = keyring(app);
    let mut tx = app.db.begin().await?;
    let old = store::sealing(&mut tx).await?;
    let mut keys = keyring.source.read()?;
    if keys.0[0].id == old {
        let Some(path) = keyring.source.path() else {
            return Ok(Rotated::NoNewKey);
        };
        if keys.0.len() >= MOST_KEYS {
            return Ok(Rotated::TooMany);
        }
        file::prepend(path).map_err(Error::Secrets)?;
        keys = keyring.source.read()?;
    }
    let keys = keyring.keep(keys);
    let new = &keys.0[0];
    let nodes = nodes_without_key(&mut tx, &name(new.id)).await?;
    if !nodes.is_empty() {
        let new = name(new.id);
        return Ok(Rotated::Waiting { new, nodes });
    }
    let now = app.clock.now();
    store::retire(&mut tx, old, now).await?;
    store::insert(&mut tx, new, now).await?;
    let mut secrets = 0;
    for column in COLUMNS {
        for (row, sealed) in column.beside(&mut tx, new.id).await? {
            let place = Place {
                column: column.name,
                row,
            };
            let plain = super::open(app, place, &sealed).await?;
            let sealed = super::Sealed {
                key_id: new.id,
                bytes: new.seal(place, &plain),
            };
            column.write(&mut tx, row, &sealed).await?;
            secrets += 1;
        }
    }
    let (new, old) = (name(new.id), name(old));
    let record = Record::anonymous(Event::KeyRotate).detail(format!("{old} to {new}"));
    audit::commit(tx, now, actor, &[record]).await?;
    Ok(Rotated::Done { new, old, secrets })
}

/// What became of forgetting a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// Backups from before this moment have secrets that nothing opens any more.
    Done {
        retired_at: Timestamp,
    },
    Unknown,
    /// It seals, or still has something sealed.
    InUse,
}

/// Gives up a key that is lost: the next start takes, or makes, another one. What is sealed with the lost one stays sealed,
/// so that nobody signs in with less than before.
///
/// # Errors
/// The database failed.
pub async fn give_up(app: &App, actor: &Actor, id: &str) -> Result<Forgotten, Error> {
    let Ok(id) = i64::from_str_radix(id, 16) else {
        return Ok(Forgotten::Unknown);
    };
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !store::is_sealing(&mut tx, id).await? {
        return Ok(Forgotten::Unknown);
    }
    store::retire(&mut tx, id, now).await?;
    let record = Record::anonymous(Event::KeyForget).detail(format!("{} is lost", name(id)));
    audit::commit(tx, now, actor, &[record]).await?;
    Ok(Forgotten::Done { retired_at: now })
}

/// Takes an old key out of the file and the database.
///
/// # Errors
/// The file cannot be written, or the database failed.
pub async fn forget(app: &App, actor: &Actor, id: &str) -> Result<Forgotten, Error> {
    let keys = super::keys(app).await?;
    let known = i64::from_str_radix(id, 16).ok();
    let Some(key) = known.and_then(|id| keys.get(id)) else {
        return Ok(Forgotten::Unknown);
    };
    let mut tx = app.db.begin().await?;
    let Some(retired_at) = store::retired_at(&mut tx, key.id).await? else {
        return Ok(Forgotten::InUse);
    };
    if is_used(&mut tx, key).await? {
        return Ok(Forgotten::InUse);
    }
    store::delete(&mut tx, key.id).await?;
    let record = Record::anonymous(Event::KeyForget).detail(name(key.id));
    audit::commit(tx, app.clock.now(), actor, &[record]).await?;
    let keyring = keyring(app);
    if let Some(path) = keyring.source.path() {
        file::remove(path, key.id).map_err(Error::Secrets)?;
        keyring.keep(keyring.source.read()?);
    }
    Ok(Forgotten::Done { retired_at })
}

async fn is_used(tx: &mut crate::foundation::db::Tx, key: &Key) -> Result<bool, Error> {
    let sealing = store::sealing(tx).await?;
    for column in COLUMNS {
        let beside = column.beside(tx, sealing).await?;
        if beside.iter().any(|(_, sealed)| sealed.key_id == key.id) {
            return Ok(true);
        }
    }
    Ok(false)
}
