//! Rows as the store and the sign-in of axum-login write them, made without a sign-in each.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};

use axum_login::tower_sessions::SessionStore as _;
use axum_login::tower_sessions::session::{Id, Record};
use serde_json::json;
use sqlx::SqlitePool;
use time::{Duration, OffsetDateTime};
use tower_sessions_sqlx_store::SqliteStore;

/// As many as are in rotation.
const COOKIES: i64 = 20_000;

pub async fn seed(
    pool: &SqlitePool,
    sessions: i64,
    users: i64,
    cookies: &str,
) -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::new(pool.clone());
    store.migrate().await?;
    let mut tx = pool.begin().await?;
    sqlx::query("CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, password_hash TEXT NOT NULL)")
        .execute(&mut *tx)
        .await?;
    for id in 0..users {
        sqlx::query("INSERT INTO users (id, username, password_hash) VALUES (?, ?, ?)")
            .bind(id)
            .bind(format!("user{id}"))
            .bind(hash(id))
            .execute(&mut *tx)
            .await?;
    }
    let mut file = BufWriter::new(File::create(cookies)?);
    for number in 0..sessions {
        let record = record(number, number % users);
        sqlx::query("INSERT INTO tower_sessions (id, data, expiry_date) VALUES (?, ?, ?)")
            .bind(record.id.to_string())
            .bind(rmp_serde::to_vec(&record)?)
            .bind(record.expiry_date)
            .execute(&mut *tx)
            .await?;
        if number < COOKIES {
            writeln!(file, "id={}", record.id)?;
        }
    }
    tx.commit().await?;
    file.flush()?;
    // What was written by hand is what the store reads.
    let first = store.load(&record(0, 0).id).await?;
    first
        .map(drop)
        .ok_or_else(|| "the store does not find what was seeded".into())
}

/// Spread over all ids, as random ones are.
fn record(number: i64, user: i64) -> Record {
    let id = i128::from(number)
        .wrapping_add(1)
        .wrapping_mul(0x2545_F491_4F6C_DD1D_9E37_79B9_7F4A_7C15);
    let data = json!({ "user_id": user, "auth_hash": hash(user).into_bytes() });
    Record {
        id: Id(id),
        data: HashMap::from([("axum-login.data".to_owned(), data)]),
        expiry_date: OffsetDateTime::now_utc() + Duration::days(14),
    }
}

/// As long as a hash of argon2.
fn hash(user: i64) -> String {
    format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA${user:043}")
}
