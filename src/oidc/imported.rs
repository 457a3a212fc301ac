//! Clients of another program, with hashes of their secrets that it made.

use std::collections::HashMap;
use std::net::IpAddr;

use super::clients::{self, Client, Refused, hash_of_secret, new_secret};
use super::token_error::TokenError;
use super::{keys, store};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::error::Error;
use crate::foundation::throttle::Reserved;
use crate::people::passwords::{Hasher, can_be_verified};
use crate::people::users::Fault;

/// A client as a file has it.
#[derive(Debug)]
pub struct Entry {
    /// Where it is in the file.
    pub line: usize,
    pub client: Client,
    /// A hash of its secret, of any program's kind.
    pub hash: Option<String>,
}

/// Adds all clients of a file in one transaction, or says what is wrong with some; with `dry_run` it adds none.
///
/// # Errors
/// The database failed, or the key of the secrets is missing; nothing was added then.
pub async fn import(
    app: &App,
    actor: &Actor,
    entries: Vec<Entry>,
    dry_run: bool,
) -> Result<Result<(), Vec<Fault>>, Error> {
    if !dry_run {
        keys::make_if_missing(app).await?;
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let known = store::clients(&mut *tx).await?;
    let mut taken = Taken::default();
    for client in &known {
        taken.note(
            client,
            "there is a client with this client_id or name already",
        );
    }
    let (mut faults, mut records) = (Vec::new(), Vec::new());
    for Entry { line, client, hash } in entries {
        let texts = faults_of(app, &client, hash.as_deref(), &taken);
        taken.note(
            &client,
            &format!("the client on line {line} has this client_id or name, too"),
        );
        if !texts.is_empty() {
            let told = |text| Fault {
                line,
                text: format!("{}: {text}", client.id),
            };
            faults.extend(texts.into_iter().map(told));
            continue;
        }
        let client = Client {
            created_at: now,
            disabled_at: client.disabled_at.map(|_| now),
            // Nobody's, until the imported one has proven right.
            secret_hash: match hash {
                Some(_) => Some(hash_of_secret(&new_secret().reveal())),
                None => client.secret_hash,
            },
            ..client
        };
        store::put_client(&mut tx, &client).await?;
        if let Some(hash) = &hash {
            store::insert_imported_secret(&mut tx, &client.id, hash).await?;
        }
        let detail = format!("{}; imported", client.name);
        records.push(Record::anonymous(Event::ClientAdd).detail(detail));
    }
    if !faults.is_empty() {
        return Ok(Err(faults));
    }
    if !dry_run {
        audit::commit(tx, now, actor, &records).await?;
    }
    Ok(Ok(()))
}

/// Ids and names that there are, with what is said to who has the same.
#[derive(Default)]
struct Taken {
    ids: HashMap<String, String>,
    names: HashMap<String, String>,
}

impl Taken {
    fn note(&mut self, client: &Client, text: &str) {
        let note = |to: &mut HashMap<String, String>, what: &str| {
            to.entry(what.to_owned()).or_insert(text.to_owned());
        };
        note(&mut self.ids, &client.id);
        note(&mut self.names, &client.name.to_ascii_lowercase());
    }

    fn by(&self, client: &Client) -> Option<&String> {
        let by_name = self.names.get(&client.name.to_ascii_lowercase());
        self.ids.get(&client.id).or(by_name)
    }
}

fn faults_of(app: &App, client: &Client, hash: Option<&str>, taken: &Taken) -> Vec<String> {
    let unknown = (!hash.is_none_or(can_be_verified))
        .then(|| "its client_secret is no hash that can be verified here".to_owned());
    let refused = clients::faults(app, client);
    let refused = refused.iter().map(Refused::to_string);
    let taken = taken.by(client).cloned();
    taken.into_iter().chain(unknown).chain(refused).collect()
}

/// Whether this is the imported secret; if so, the hash is replaced by one of our own. Computed on the threads of
/// passwords, and wrong ones count for the address, for each takes time.
pub(super) async fn is_secret_of(
    app: &App,
    client: &Client,
    secret: &str,
    address: IpAddr,
) -> Result<Result<bool, TokenError>, Error> {
    let Some(imported) = store::imported_secret(app.db.reader(), &client.id).await? else {
        return Ok(Ok(false));
    };
    let now = app.clock.now();
    let reserved = app.throttle.reserve(&app.db, now, None, false, address);
    let reservation = match reserved.await? {
        Reserved::Granted(reservation) => reservation,
        Reserved::Throttled { retry_after } => {
            return Ok(Err(TokenError::too_many_tries(retry_after)));
        }
    };
    let hasher = app.state::<Hasher>();
    let is_right = match hasher.is_of(secret, &imported).await {
        Ok(is_right) => is_right,
        Err(error) => {
            reservation.release(&app.db).await?;
            return Err(error);
        }
    };
    let own = hash_of_secret(secret);
    let mut tx = app.db.begin().await?;
    let is_right =
        is_right && store::replace_imported_secret(&mut tx, &client.id, &imported, &own).await?;
    if is_right {
        reservation.succeeded(&mut tx).await?;
    } else {
        reservation.failed(&mut tx, now).await?;
    }
    tx.commit().await?;
    Ok(Ok(is_right))
}
