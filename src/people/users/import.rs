//! Many users at once, with the hashes of their passwords: all of them or none.

use std::collections::HashMap;
use std::time::Duration;

use super::create::{rights, without_faults};
use super::{InvalidName, NewUser, Refused, User, is_address_taken, store, username};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::DAY;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::people::links::{self, Purpose};
use crate::people::passwords::{HashForm, Hasher, can_be_verified};

/// A user as a file has it.
#[derive(Debug)]
pub struct Entry {
    /// Where it is in the file.
    pub line: usize,
    pub new: NewUser,
    pub email_verified: bool,
    pub disabled: bool,
    /// Of any program's kind.
    pub hash: Option<String>,
    pub form: HashForm,
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    pub line: usize,
    pub text: String,
}

impl Fault {
    /// Of a user, by name. What is no name is not told: where columns are mixed up, it may be a hash.
    #[must_use]
    pub fn of_user(line: usize, name: &str, text: String) -> Self {
        let text = match username(name) {
            Ok(name) => format!("{name}: {text}"),
            Err(_) => text,
        };
        Self { line, text }
    }
}

/// What became of a line.
#[derive(Debug)]
pub struct Added {
    pub line: usize,
    pub username: String,
    /// By which a user chooses a password whose hash is of no use here.
    pub link: Option<String>,
    /// Whether a verification of the hash takes longer than a server that runs allows for.
    pub is_dear: bool,
}

/// Added with everything else, or none is.
pub type Imported = Result<Vec<Added>, Vec<Fault>>;

/// How long the links are good that an admin hands over.
pub const LINK_LIFETIME: Duration = Duration::from_secs(7 * DAY.as_secs());

/// Adds all users of a file in one transaction; with `dry_run` it only says what would become of them. `progress` is told
/// after each how many are done.
///
/// # Errors
/// The database failed; nothing was added then.
pub async fn import(
    app: &App,
    actor: &Actor,
    entries: Vec<Entry>,
    dry_run: bool,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Imported, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let (mut added, mut faults, mut records) = (Vec::new(), Vec::new(), Vec::new());
    let mut lines = HashMap::new();
    for (done, entry) in (1..).zip(entries) {
        let (line, name) = (entry.line, entry.new.username.clone());
        match add(app, &mut tx, entry, &mut lines).await? {
            Ok((user, one)) => {
                let detail = format!("{}; imported", rights(&user));
                records.push(Record::of(Event::UserCreate, &user).detail(detail));
                added.push(one);
            }
            Err(texts) => {
                let told = |text| Fault::of_user(line, &name, text);
                faults.extend(texts.into_iter().map(told));
            }
        }
        progress(done);
    }
    if !faults.is_empty() {
        return Ok(Err(faults));
    }
    if !dry_run {
        audit::commit(tx, now, actor, &records).await?;
    }
    Ok(Ok(added))
}

/// The user, with a link where the hash is of no use; or all that speaks against it. `lines` has the names that came
/// before.
async fn add(
    app: &App,
    tx: &mut Tx,
    entry: Entry,
    lines: &mut HashMap<String, usize>,
) -> Result<Result<(User, Added), Vec<String>>, Error> {
    let (now, line) = (app.clock.now(), entry.line);
    // What is wrong is left out, so that the rest is looked at; nothing of it stays.
    let (new, faults) = without_faults(entry.new);
    let mut faults: Vec<String> = faults.iter().map(InvalidName::to_string).collect();
    if new.username.is_empty() {
        return Ok(Err(faults));
    }
    if let Some(line) = lines.insert(new.username.clone(), line) {
        faults.push(format!("is on line {line}, too"));
        return Ok(Err(faults));
    }
    let hash = entry.hash.filter(|hash| can_be_verified(hash));
    let is_dear = hash
        .as_deref()
        .is_some_and(|hash| app.state::<Hasher>().is_dearer(hash));
    let hash = hash.as_deref().map(|hash| (hash, entry.form));
    let Some(user) = super::create::insert_with(tx, now, uuid::Uuid::now_v7(), new, hash).await?
    else {
        faults.push(Refused::Taken.to_string());
        return Ok(Err(faults));
    };
    let email_verified = entry.email_verified && user.email.is_some();
    if let Some(address) = user.email.as_deref().filter(|_| email_verified)
        && is_address_taken(tx, address, user.id).await?
    {
        faults.push(Refused::AddressTaken.to_string());
    }
    if !faults.is_empty() {
        return Ok(Err(faults));
    }
    let user = User {
        email_verified,
        ..user
    };
    if email_verified {
        store::update(tx, &user).await?;
    }
    if entry.disabled {
        store::set_disabled(tx, user.id, Some(now)).await?;
    }
    let link = match hash {
        Some(_) => None,
        None => {
            let token = links::mint(app, tx, Purpose::Reset, user.id, "", LINK_LIFETIME).await?;
            Some(app.settings.link(&format!("/reset/{}", token.reveal())))
        }
    };
    let added = Added {
        line,
        username: user.username.clone(),
        link,
        is_dear,
    };
    Ok(Ok((user, added)))
}
