//! The rows of each table, in statements of many.

use std::error::Error;

use indicatif::ProgressBar;
use rand::RngExt;
use rand::rngs::StdRng;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::Plan;
use super::cookie_file::{CookieFile, MAX_COOKIES};
use super::fake_data::{self, GROUPS, SPAN, Session, User};
use crate::library::seeding;

/// Rows of one statement: its parameters stay below SQLite's 32,766.
const ROWS: u64 = 500;

pub async fn groups_and_devices(
    connection: &mut SqliteConnection,
    plan: &Plan,
) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin().await?;
    if plan.users > 0 {
        for group in GROUPS {
            sqlx::query("INSERT INTO groups (name) VALUES ($1)")
                .bind(group)
                .execute(&mut *tx)
                .await?;
        }
    }
    if plan.live + plan.ended > 0 {
        for (_, device) in fake_data::devices() {
            sqlx::query("INSERT INTO devices (name) VALUES ($1) ON CONFLICT (name) DO NOTHING")
                .bind(device)
                .execute(&mut *tx)
                .await?;
        }
    }
    tx.commit().await
}

pub async fn users(
    connection: &mut SqliteConnection,
    plan: &Plan,
    rng: &mut StdRng,
    bar: &ProgressBar,
) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    bar.set_message("users");
    let mut all = Vec::new();
    let mut tx = connection.begin().await?;
    for rows in batches(plan.users) {
        let users: Vec<User> = rows
            .clone()
            .map(|number| fake_data::user(number, plan.now, rng))
            .collect();
        let sql = insert(
            "users (id, username, display_name, email, admin, password_changed_at, created_at)",
            7,
            users.len(),
        );
        let query = users.iter().fold(query(sql), |query, user| {
            query
                .bind(user.id)
                .bind(&user.username)
                .bind(&user.display_name)
                .bind(&user.email)
                .bind(0)
                .bind(user.created_at)
                .bind(user.created_at)
        });
        query.execute(&mut *tx).await?;
        for (user, group) in users.iter().filter_map(|user| Some((user, user.group?))) {
            sqlx::query("INSERT INTO memberships (user_id, group_name) VALUES ($1, $2)")
                .bind(user.id)
                .bind(group)
                .execute(&mut *tx)
                .await?;
        }
        bar.inc(users.len() as u64);
        all.extend(users.into_iter().map(|user| (user.id, user.username)));
    }
    tx.commit().await?;
    Ok(all)
}

pub async fn sessions(
    connection: &mut SqliteConnection,
    plan: &Plan,
    users: &[(Uuid, String)],
    rng: &mut StdRng,
    bar: &ProgressBar,
    mut cookies: Option<CookieFile>,
) -> Result<(), Box<dyn Error>> {
    bar.set_message("sessions");
    let devices = fake_data::devices();
    let total = plan.live + plan.ended;
    let mut left = Left {
        live: plan.live,
        ended: plan.ended,
    };
    let mut tx = connection.begin().await?;
    for rows in batches(total) {
        let batch: Vec<(Uuid, Session)> = rows
            .map(|number| {
                let (user_id, username) = &users[rng.random_range(0..users.len())];
                let created_at = started(number, total, plan, rng);
                let ended = left.next_is_ended(rng);
                let session = fake_data::session(username, created_at, ended, plan.now, rng);
                (*user_id, session)
            })
            .collect();
        insert_batch(&mut tx, &batch, &devices, cookies.as_mut()).await?;
        bar.inc(batch.len() as u64);
    }
    tx.commit().await?;
    cookies.map_or(Ok(()), CookieFile::finish)?;
    Ok(())
}

async fn insert_batch(
    connection: &mut SqliteConnection,
    batch: &[(Uuid, Session)],
    devices: &[(&str, String)],
    mut cookies: Option<&mut CookieFile>,
) -> Result<(), Box<dyn Error>> {
    let sql = insert(
        "sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                   idle_expires_at, expires_at, address, user_agent, device, ended_at, end_reason, ended_by)",
        16,
        batch.len(),
    );
    let mut query = query(sql);
    for (user_id, session) in batch {
        let (cookie, hash) = seeding::token(session.token);
        if let Some(cookies) = cookies.as_mut().filter(|_| session.end.is_none()) {
            cookies.add(&cookie)?;
        }
        let (user_agent, device) = &devices[session.user_agent];
        let end = session.end.as_ref();
        query = query
            .bind(hash)
            .bind(session.id)
            .bind(user_id)
            .bind("password")
            .bind(i64::from(session.remember))
            .bind(session.created_at)
            .bind(session.created_at)
            .bind(session.last_seen_at)
            .bind(session.idle_expires_at)
            .bind(session.expires_at)
            .bind(&session.address)
            .bind(*user_agent)
            .bind(device)
            .bind(end.map(|end| end.at))
            .bind(end.map(|end| end.reason))
            .bind(end.map(|end| &end.by));
    }
    query.execute(connection).await?;
    Ok(())
}

/// A site that is open to whoever is signed in, takes app tokens, and secrets of its own for the first live sessions.
pub async fn site(
    connection: &mut SqliteConnection,
    host: &str,
    plan: &Plan,
    rng: &mut StdRng,
    mut cookies: CookieFile,
) -> Result<(), Box<dyn Error>> {
    let mut tx = connection.begin().await?;
    sqlx::query(
        "INSERT INTO sites (id, host, fallback, note, tokens) VALUES ($1, $2, 'signed-in', '', 1)",
    )
    .bind(Uuid::from_bytes(rng.random()))
    .bind(host)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE policy SET version = version + 1")
        .execute(&mut *tx)
        .await?;
    let live: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT token_hash FROM sessions WHERE ended_at IS NULL ORDER BY token_hash LIMIT $1",
    )
    .bind(i64::try_from(MAX_COOKIES)?)
    .fetch_all(&mut *tx)
    .await?;
    for token_hash in live {
        let (cookie, hash) = seeding::token(rng.random());
        cookies.add(&cookie)?;
        sqlx::query("INSERT INTO site_secrets (secret_hash, token_hash, host, created_at) VALUES ($1, $2, $3, $4)")
            .bind(hash)
            .bind(token_hash)
            .bind(host)
            .bind(plan.now.unix_micros())
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    cookies.finish()?;
    Ok(())
}

/// App tokens for all sites, of the users in turn.
pub async fn tokens(
    connection: &mut SqliteConnection,
    plan: &Plan,
    users: &[(Uuid, String)],
    rng: &mut StdRng,
    mut file: CookieFile,
) -> Result<(), Box<dyn Error>> {
    let mut tx = connection.begin().await?;
    for (user, _) in users.iter().cycle().take(usize::try_from(MAX_COOKIES)?) {
        let (token, hash) = seeding::app_token(rng.random());
        file.add(&token)?;
        sqlx::query(
            "INSERT INTO app_tokens (hash, id, user_id, name, networks, two_factor, created_at, created_by)
             VALUES ($1, $2, $3, 'calendar', '', 0, $4, '')",
        )
        .bind(hash)
        .bind(Uuid::from_bytes(rng.random()))
        .bind(user)
        .bind(plan.now.unix_micros())
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    file.finish()?;
    Ok(())
}

/// Access tokens of an application, one of each of the first live sessions, good for as long as a seeded database is used.
pub async fn access_tokens(
    connection: &mut SqliteConnection,
    plan: &Plan,
    rng: &mut StdRng,
    mut file: CookieFile,
) -> Result<(), Box<dyn Error>> {
    let now = plan.now.unix_micros();
    let mut tx = connection.begin().await?;
    sqlx::query(
        "INSERT INTO clients (id, name, auth_method, pkce, id_token_alg, claims_in, consent, factors, offline_access, access_lifetime, refresh_idle, refresh_max, created_at)
         VALUES ('app', 'App', 'none', 1, 'RS256', 'both', 'never', 1, 0, 600000000, 600000000, 600000000, $1)",
    )
    .bind(now)
    .execute(&mut *tx)
    .await?;
    let live: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT id, user_id FROM sessions WHERE ended_at IS NULL ORDER BY token_hash LIMIT $1",
    )
    .bind(i64::try_from(MAX_COOKIES)?)
    .fetch_all(&mut *tx)
    .await?;
    for (session, user) in live {
        let (grant, (token, hash)) = (Uuid::from_bytes(rng.random()), seeding::token(rng.random()));
        file.add(&token)?;
        sqlx::query(
            "INSERT INTO grants (id, client_id, user_id, session_id, offline, scope, auth_time, methods, trusted, created_at, last_used_at)
             VALUES ($1, 'app', $2, $3, 0, $4, $5, 'password', 0, $5, $5)",
        )
        .bind(grant)
        .bind(user)
        .bind(session)
        .bind(SCOPE)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        sqlx::query("INSERT INTO access_tokens (hash, grant_id, scope, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(hash)
            .bind(grant)
            .bind(SCOPE)
            .bind(now)
            .bind(now + 30 * DAY)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    file.finish()?;
    Ok(())
}

const SCOPE: &str = "openid profile email groups";
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// One after the other over the span, as sessions are started.
fn started(number: u64, total: u64, plan: &Plan, rng: &mut StdRng) -> i64 {
    let place = i128::from(number) * i128::from(SPAN) / i128::from(total);
    let step = SPAN / i64::try_from(total).unwrap_or(SPAN);
    let place = i64::try_from(place).unwrap_or(SPAN) + rng.random_range(0..=step);
    plan.now.unix_micros() - SPAN + place.min(SPAN)
}

/// Sessions that are still to be made; both kinds are spread alike over all of them.
struct Left {
    live: u64,
    ended: u64,
}

impl Left {
    fn next_is_ended(&mut self, rng: &mut StdRng) -> bool {
        let ended = rng.random_range(0..self.live + self.ended) < self.ended;
        if ended {
            self.ended -= 1;
        } else {
            self.live -= 1;
        }
        ended
    }
}

fn batches(total: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    (0..total.div_ceil(ROWS)).map(move |batch| batch * ROWS..total.min((batch + 1) * ROWS))
}

/// An INSERT of many rows. Its parameters have no names: SQLite looks a name up from the first one on.
fn insert(table_and_columns: &str, columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    format!(
        "INSERT INTO {table_and_columns} VALUES {}",
        vec![row; rows].join(",")
    )
}

fn query<'q>(sql: String) -> Query<'q, Sqlite, SqliteArguments> {
    sqlx::query(AssertSqlSafe(sql))
}
