//! Copies a whole database into another, of either engine, and marks the first as moved.

mod end;
mod value;

use rocket::futures::TryStreamExt as _;

use super::{Location, Lock, Refused};
use crate::foundation::clock::Timestamp;
use end::End;
use value::{Column, Sum, Value};

/// In an order in which what is referred to comes first.
pub const TABLES: [&str; 41] = [
    "users",
    "groups",
    "memberships",
    "sessions",
    "devices",
    "audit",
    "throttle",
    "sites",
    "rules",
    "policy",
    "site_secrets",
    "tickets",
    "clock",
    "former_users",
    "former_sessions",
    "secret_keys",
    "totp",
    "recovery_codes",
    "passkeys",
    "trusted_devices",
    "app_tokens",
    "notices",
    "muted_notices",
    "mails",
    "links",
    "clients",
    "client_uris",
    "client_groups",
    "client_claims",
    "icons",
    "imported_secrets",
    "signing_keys",
    "grants",
    "refresh_tokens",
    "consents",
    "sign_out_notices",
    "invitations",
    "invitation_groups",
    "invitation_links",
    "approvals",
    "departures",
];

/// What concerns the processes that run or is over within minutes, or is made anew from the rest.
pub const LEFT_OUT: [&str; 13] = [
    "invalidations",
    "bulk_change",
    "nodes",
    "setup",
    "spent_challenges",
    "pending_sign_ins",
    "codes",
    "access_tokens",
    "learning",
    "tried_uris",
    "moved",
    "compatibility",
    "_sqlx_migrations",
];

/// Values a statement.
const TOGETHER: usize = 5_000;

/// What was copied of a table.
#[derive(Debug, serde::Serialize)]
pub struct Copied {
    pub table: &'static str,
    pub rows: u64,
}

/// How many rows there are to be copied.
///
/// # Errors
/// The database cannot be read, is not of this program's version, or was moved already.
pub async fn count(from: &Location) -> Result<u64, Refused> {
    let mut source = End::source(from).await?;
    let mut rows = 0;
    for table in TABLES {
        rows += source.count(table).await.map_err(|e| source.failed(&e))?;
    }
    Ok(rows)
}

/// Copies every table, in one transaction; `rows_done` hears how many rows it was.
///
/// # Errors
/// A server runs on either, `to` is not empty, or what arrived is not what was read. `to` is then as it was.
pub async fn copy(
    from: &Location,
    to: &Location,
    now: Timestamp,
    rows_done: &dyn Fn(u64),
) -> Result<Vec<Copied>, Refused> {
    let _lock = lock(from)?;
    let mut source = End::source(from).await?;
    let mut target = End::target(to).await?;
    let columns = target.columns_beside(&mut source).await?;
    let mut copied = Vec::new();
    let mut done = 0;
    for (table, columns) in TABLES.into_iter().zip(&columns) {
        let (read, rows) = transfer(&mut source, &mut target, table, columns, &mut |rows| {
            done += rows;
            rows_done(done);
        })
        .await?;
        let written = sum(&mut target, table, columns).await?;
        if (read, rows) != written {
            return Err(Refused(format!(
                "{to}: {table} did not arrive as it was in {from}; nothing was copied"
            )));
        }
        copied.push(Copied { table, rows });
    }
    target.finish().await.map_err(|e| target.failed(&e))?;
    source.mark_moved(&to.to_string(), now).await.map_err(|e| {
        Refused(format!(
            "{to} is complete, but {from} could not be marked as moved ({e}); do not start it again"
        ))
    })?;
    Ok(copied)
}

fn lock(from: &Location) -> Result<Option<Lock>, Refused> {
    match from {
        Location::File(file) => super::sqlite::take_lock(file).map(Some),
        Location::Server(_) => Ok(None),
    }
}

async fn transfer(
    source: &mut End,
    target: &mut End,
    table: &str,
    columns: &[Column],
    rows_done: &mut dyn FnMut(u64),
) -> Result<(Sum, u64), Refused> {
    let (mut sum, mut rows) = (Sum::default(), 0);
    let most = (TOGETHER / columns.len()).max(1) * columns.len();
    let mut batch: Vec<Value> = Vec::with_capacity(most);
    let from = source.name();
    let broken = |e: sqlx::Error| Refused(format!("{from}: {table}: {e}"));
    let mut stream = source.rows(table, columns);
    while let Some(row) = stream.try_next().await.map_err(broken)? {
        sum.add(&row);
        rows += 1;
        batch.extend(row);
        if batch.len() == most {
            target
                .insert(table, columns, std::mem::take(&mut batch))
                .await?;
            rows_done((most / columns.len()) as u64);
        }
    }
    let rest = (batch.len() / columns.len()) as u64;
    if rest > 0 {
        target.insert(table, columns, batch).await?;
        rows_done(rest);
    }
    Ok((sum, rows))
}

async fn sum(end: &mut End, table: &str, columns: &[Column]) -> Result<(Sum, u64), Refused> {
    let (mut sum, mut rows) = (Sum::default(), 0);
    let name = end.name();
    let mut stream = end.rows(table, columns);
    while let Some(row) = stream
        .try_next()
        .await
        .map_err(|e| Refused(format!("{name}: {table}: {e}")))?
    {
        sum.add(&row);
        rows += 1;
    }
    Ok((sum, rows))
}
