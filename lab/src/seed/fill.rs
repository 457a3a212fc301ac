//! Writes the database. Quick, because the indexes of the listing are built when all rows are there, and
//! because a file that is not yet anybody's need not survive a power cut. The index of parts of words is no index
//! to SQLite: triggers fill it with each user.

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sqlx::sqlite::SqliteSynchronous;
use sqlx::{AssertSqlSafe, SqliteConnection};
use xtask::run::{Outcome, failed};

use super::cookie_file::CookieFile;
use super::{CookieFiles, Plan, insert};
use crate::library::{self, BEARER, COOKIE, SITE_COOKIE};
use crate::sqlite;

type Failure = Box<dyn std::error::Error>;

/// Makes the database, and the files of cookies that are wanted.
pub fn fill(path: &Path, plan: &Plan, wanted: &CookieFiles) -> Outcome {
    sqlite::block_on(library::create_database(path))?;
    let create = |file| CookieFile::create(file, format!("{COOKIE}="));
    let cookies = wanted.sign_in.map(create).transpose()?;
    let site = match wanted.site {
        Some((host, file)) => Some((host, CookieFile::create(file, format!("{SITE_COOKIE}="))?)),
        None => None,
    };
    let token_file = |file| CookieFile::create(file, BEARER.to_owned());
    let tokens = wanted.tokens.map(token_file).transpose()?;
    let access_tokens = wanted.access_tokens.map(token_file).transpose()?;
    let options = sqlite::file(path)
        .synchronous(SqliteSynchronous::Off)
        // Every new token's hash goes to another page: all are kept at hand.
        .pragma("cache_size", "-1000000")
        .pragma("temp_store", "MEMORY");
    sqlite::connected(&options, async |connection| {
        write(connection, plan, cookies, site, tokens, access_tokens).await
    })
    .map_err(failed(path.display()))
}

async fn write(
    connection: &mut SqliteConnection,
    plan: &Plan,
    cookies: Option<CookieFile>,
    site: Option<(&str, CookieFile)>,
    tokens: Option<CookieFile>,
    access_tokens: Option<CookieFile>,
) -> Result<(), Failure> {
    let bar = bar(plan.users + plan.live + plan.ended);
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let indexes = drop_indexes(connection).await?;
    insert::groups_and_devices(connection, plan).await?;
    let users = insert::users(connection, plan, &mut rng, &bar).await?;
    insert::sessions(connection, plan, &users, &mut rng, &bar, cookies).await?;
    if let Some((host, cookies)) = site {
        insert::site(connection, host, plan, &mut rng, cookies).await?;
    }
    if let Some(tokens) = tokens {
        insert::tokens(connection, plan, &users, &mut rng, tokens).await?;
    }
    if let Some(tokens) = access_tokens {
        insert::access_tokens(connection, plan, &mut rng, tokens).await?;
    }
    bar.set_message("indexes");
    for index in indexes {
        sqlx::raw_sql(AssertSqlSafe(index))
            .execute(&mut *connection)
            .await?;
    }
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut *connection)
        .await?;
    bar.finish_and_clear();
    Ok(())
}

/// Takes away the indexes that only speed up reading, and says how to make them again.
async fn drop_indexes(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    for (name, _) in &indexes {
        sqlx::raw_sql(AssertSqlSafe(format!("DROP INDEX {name}")))
            .execute(&mut *connection)
            .await?;
    }
    Ok(indexes.into_iter().map(|(_, sql)| sql).collect())
}

fn bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>9} {wide_bar} {percent}% {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

#[cfg(test)]
mod tests;
