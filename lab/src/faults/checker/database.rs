//! What can be found in the database alone.

use std::error::Error;
use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;

use super::expected::Expected;
use crate::driver::{Postgres, postgres};
use crate::faults::testbed::INTERVAL;
use crate::sqlite;

/// Queries that count what must not be there, for I3.
const HALVES: [(&str, &str); 8] = [
    (
        "a session without its record",
        "SELECT count(*) FROM sessions WHERE id NOT IN (SELECT session_id FROM audit WHERE event = 'sign_in' AND result = 'ok')",
    ),
    (
        "a record without its session",
        "SELECT count(*) FROM audit WHERE event = 'sign_in' AND result = 'ok' AND session_id NOT IN (SELECT id FROM sessions)",
    ),
    (
        "a sign-out without its record",
        "SELECT count(*) FROM sessions WHERE end_reason = 'signed_out' AND id NOT IN (SELECT session_id FROM audit WHERE event = 'sign_out')",
    ),
    (
        "a record without its sign-out",
        "SELECT count(*) FROM audit WHERE event = 'sign_out' AND session_id IN (SELECT id FROM sessions WHERE ended_at IS NULL)",
    ),
    (
        "a revoke without its record",
        "SELECT count(*) FROM sessions WHERE end_reason = 'revoked' AND id NOT IN (SELECT session_id FROM audit WHERE event = 'session_revoke')",
    ),
    (
        "a record without its revoke",
        "SELECT count(*) FROM audit WHERE event = 'session_revoke' AND session_id IN (SELECT id FROM sessions WHERE ended_at IS NULL)",
    ),
    (
        "a change of password without its record",
        "SELECT count(*) FROM users u WHERE password_changed_at > created_at
         AND NOT EXISTS (SELECT 1 FROM audit WHERE event = 'password_change' AND user_id = u.id AND at >= u.password_changed_at)",
    ),
    (
        "a disabled user with a live session",
        "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.disabled_at IS NOT NULL AND s.ended_at IS NULL",
    ),
];

/// Where a service keeps what a history has left.
pub enum Rows<'r> {
    File(&'r Path),
    Server(&'r Postgres),
}

impl<'r> From<&'r PathBuf> for Rows<'r> {
    fn from(file: &'r PathBuf) -> Self {
        Self::File(file)
    }
}

impl<'r> From<&'r Postgres> for Rows<'r> {
    fn from(server: &'r Postgres) -> Self {
        Self::Server(server)
    }
}

/// I3, I4 and I5.
pub fn check(
    expected: &Expected,
    rows: &Rows,
) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
    let (mut violations, counted) = match rows {
        Rows::File(file) => check_file(expected, file)?,
        Rows::Server(server) => check_server(expected, server)?,
    };
    violations.extend(counted);
    Ok(violations)
}

type Found = (Vec<String>, Vec<String>);

fn check_file(expected: &Expected, file: &Path) -> Result<Found, sqlx::Error> {
    let options = sqlite::file(file).read_only(true);
    sqlite::connected(&options, async |connection| {
        let damage = damage(connection).await?;
        let counted = count(expected, async |query| {
            sqlx::query_scalar(query).fetch_one(&mut *connection).await
        });
        Ok((damage, counted.await?))
    })
}

/// That rows refer to what is there is the server's to hold.
fn check_server(
    expected: &Expected,
    server: &Postgres,
) -> Result<Found, Box<dyn Error + Send + Sync>> {
    let damage = server.damage().map_err(|stop| stop.reason)?;
    let damage = damage.into_iter().map(|damage| format!("I5: {damage}"));
    let counted = server.connected(postgres::NAME, async |connection| {
        let ask = async |query| sqlx::query_scalar(query).fetch_one(&mut *connection).await;
        count(expected, ask).await
    })?;
    Ok((damage.collect(), counted))
}

/// I3 and I4, by queries that count.
async fn count(
    expected: &Expected,
    mut ask: impl AsyncFnMut(&'static str) -> Result<Option<i64>, sqlx::Error>,
) -> Result<Vec<String>, sqlx::Error> {
    let mut violations = Vec::new();
    for (what, query) in HALVES {
        let count = ask(query).await?.unwrap_or_default();
        if count > 0 {
            violations.push(format!("I3: {count} of: {what}"));
        }
    }
    violations.extend(forgotten_guesses(expected, ask).await?);
    Ok(violations)
}

/// I5.
pub async fn damage(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let integrity: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_all(&mut *connection)
        .await?;
    let orphans: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT \"table\" FROM pragma_foreign_key_check")
            .fetch_all(connection)
            .await?;
    let integrity = integrity.into_iter().filter(|line| line != "ok");
    let orphans = orphans
        .into_iter()
        .map(|table| format!("rows of {table} refer to nothing"));
    Ok(integrity
        .chain(orphans)
        .map(|violation| format!("I5: {violation}"))
        .collect())
}

/// I4. All guesses come from one address, and each moves the moment when its bucket is full again by an
/// interval.
async fn forgotten_guesses(
    expected: &Expected,
    mut ask: impl AsyncFnMut(&'static str) -> Result<Option<i64>, sqlx::Error>,
) -> Result<Option<String>, sqlx::Error> {
    let Some(first) = expected.first_guess.filter(|_| expected.guesses > 0) else {
        return Ok(None);
    };
    let full_at =
        ask("SELECT max(full_at) FROM throttle WHERE bucket = 'address 127.0.0.1'").await?;
    let interval = i64::try_from(INTERVAL.as_micros()).unwrap_or(i64::MAX);
    let counted = (full_at.unwrap_or(first) - first) / interval;
    Ok((counted < expected.guesses).then(|| {
        format!(
            "I4: {} guesses were answered, {counted} are counted",
            expected.guesses
        )
    }))
}
