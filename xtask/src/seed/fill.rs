//! Writes the rows. Quick, because the orders of the listing are built when all rows are there, and
//! because a file that is not yet anybody's need not survive a power cut.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqliteConnection};
use uuid::Uuid;
use vestibule::foundation::db::{self, Location};
use vestibule::testing::seeding;

use super::content::{self, GROUPS, SPAN, Session, User};
use super::{Plan, Wanted};
use crate::run::{Outcome, Stop};

/// Rows of one statement: its parameters stay below SQLite's 32,766.
const ROWS: u64 = 500;

const MOST_COOKIES: u64 = 20_000;
const COOKIE: &str = "vestibule";
const SITE_COOKIE: &str = "vestibule-site";

/// Makes the database, and the files of cookies that are wanted.
pub fn fill(path: &Path, plan: &Plan, wanted: &Wanted) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Stop::because(format!("cannot begin: {error}")))?;
    runtime.block_on(async {
        let location = Location::parse(&path.to_string_lossy()).map_err(Stop::because)?;
        db::prepare(&location)
            .await
            .map_err(|refused| Stop::because(refused.to_string()))?;
        let create = |path, name| Cookies::create(path, name);
        let cookies = wanted
            .cookies
            .map(|path| create(path, COOKIE))
            .transpose()?;
        let site = match wanted.site {
            Some((host, path)) => Some((host, create(path, SITE_COOKIE)?)),
            None => None,
        };
        write(path, plan, cookies, site)
            .await
            .map_err(|error| Stop::because(format!("{}: {error}", path.display())))
    })
}

async fn write(
    path: &Path,
    plan: &Plan,
    cookies: Option<Cookies>,
    site: Option<(&str, Cookies)>,
) -> Result<(), Box<dyn std::error::Error>> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Off)
        // Every new token's hash goes to another page: all are kept at hand.
        .pragma("cache_size", "-1000000")
        .pragma("temp_store", "MEMORY");
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let bar = bar(plan.users + plan.live + plan.ended);
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let indexes = drop_indexes(&mut connection).await?;
    insert_groups_and_devices(&mut connection, plan).await?;
    let users = insert_users(&mut connection, plan, &mut rng, &bar).await?;
    insert_sessions(&mut connection, plan, &users, &mut rng, &bar, cookies).await?;
    if let Some((host, cookies)) = site {
        insert_site(&mut connection, host, plan, &mut rng, cookies).await?;
    }
    bar.set_message("indexes");
    for index in indexes {
        sqlx::raw_sql(AssertSqlSafe(index))
            .execute(&mut connection)
            .await?;
    }
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await?;
    connection.close().await?;
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

async fn insert_groups_and_devices(
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
        for (_, device) in content::devices() {
            sqlx::query("INSERT INTO devices (name) VALUES ($1) ON CONFLICT (name) DO NOTHING")
                .bind(device)
                .execute(&mut *tx)
                .await?;
        }
    }
    tx.commit().await
}

async fn insert_users(
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
            .map(|number| content::user(number, plan.moment, rng))
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

async fn insert_sessions(
    connection: &mut SqliteConnection,
    plan: &Plan,
    users: &[(Uuid, String)],
    rng: &mut StdRng,
    bar: &ProgressBar,
    mut cookies: Option<Cookies>,
) -> Result<(), Box<dyn std::error::Error>> {
    bar.set_message("sessions");
    let devices = content::devices();
    let total = plan.live + plan.ended;
    let mut left = Left {
        live: plan.live,
        ended: plan.ended,
    };
    let mut tx = connection.begin().await?;
    for rows in batches(total) {
        let mut sessions: Vec<(Uuid, Session)> = Vec::new();
        for number in rows {
            let (user_id, username) = &users[rng.random_range(0..users.len())];
            let created_at = started(number, total, plan, rng);
            let ended = left.next_is_ended(rng);
            let session = content::session(username, created_at, ended, plan.moment, rng);
            sessions.push((*user_id, session));
        }
        let sql = insert(
            "sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                       idle_expires_at, expires_at, address, user_agent, device, ended_at, end_reason, ended_by)",
            16,
            sessions.len(),
        );
        let mut query = query(sql);
        for (user_id, session) in &sessions {
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
        query.execute(&mut *tx).await?;
        bar.inc(sessions.len() as u64);
    }
    tx.commit().await?;
    cookies.map_or(Ok(()), Cookies::finish)?;
    Ok(())
}

/// A site that is open to whoever is signed in, and secrets of its own for the first live sessions.
async fn insert_site(
    connection: &mut SqliteConnection,
    host: &str,
    plan: &Plan,
    rng: &mut StdRng,
    mut cookies: Cookies,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut tx = connection.begin().await?;
    sqlx::query("INSERT INTO sites (id, host, fallback, note) VALUES ($1, $2, 'signed-in', '')")
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
    .bind(i64::try_from(MOST_COOKIES)?)
    .fetch_all(&mut *tx)
    .await?;
    for token_hash in live {
        let (cookie, hash) = seeding::token(rng.random());
        cookies.add(&cookie)?;
        sqlx::query("INSERT INTO site_secrets (secret_hash, token_hash, host, created_at) VALUES ($1, $2, $3, $4)")
            .bind(hash)
            .bind(token_hash)
            .bind(host)
            .bind(plan.moment.unix_micros())
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    cookies.finish()?;
    Ok(())
}

/// One after the other over the span, as sessions are started.
fn started(number: u64, total: u64, plan: &Plan, rng: &mut StdRng) -> i64 {
    let place = i128::from(number) * i128::from(SPAN) / i128::from(total);
    let step = SPAN / i64::try_from(total).unwrap_or(SPAN);
    let place = i64::try_from(place).unwrap_or(SPAN) + rng.random_range(0..=step);
    plan.moment.unix_micros() - SPAN + place.min(SPAN)
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

struct Cookies {
    file: BufWriter<File>,
    name: &'static str,
    left: u64,
}

impl Cookies {
    fn create(path: &Path, name: &'static str) -> Result<Self, Stop> {
        // Whoever reads it can sign in wherever the database is served.
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| Stop::because(format!("{}: {error}", path.display())))?;
        Ok(Self {
            file: BufWriter::new(file),
            name,
            left: MOST_COOKIES,
        })
    }

    fn add(&mut self, value: &str) -> std::io::Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        writeln!(self.file, "{}={value}", self.name)
    }

    fn finish(mut self) -> std::io::Result<()> {
        self.file.flush()
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

fn bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>9} {wide_bar} {percent}% {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::PathBuf;

    use super::*;

    const PLAN: Plan = Plan {
        users: 30,
        live: 70,
        ended: 20,
        seed: 7,
        moment: vestibule::Timestamp::from_micros(1_795_478_400_000_000),
    };

    struct Made {
        path: PathBuf,
        cookies: String,
        site_cookies: String,
        _folder: tempfile::TempDir,
    }

    fn made(plan: &Plan) -> Made {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seeded.db");
        let cookies = folder.path().join("cookies");
        let site_cookies = folder.path().join("site-cookies");
        let wanted = Wanted {
            cookies: Some(&cookies),
            site: Some(("app.example.com", &site_cookies)),
        };
        fill(&path, plan, &wanted).unwrap();
        Made {
            path,
            cookies: std::fs::read_to_string(cookies).unwrap(),
            site_cookies: std::fs::read_to_string(site_cookies).unwrap(),
            _folder: folder,
        }
    }

    impl Made {
        fn rows(&self, sql: &'static str) -> Vec<String> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(async {
                let options = SqliteConnectOptions::new().filename(&self.path);
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::query_scalar(sql)
                    .fetch_all(&mut connection)
                    .await
                    .unwrap()
            })
        }

        fn dump(&self) -> Vec<String> {
            [
                "SELECT concat_ws('|', hex(id), username, display_name, email, created_at) FROM users",
                "SELECT concat_ws('|', hex(user_id), group_name) FROM memberships",
                "SELECT concat_ws('|', hex(token_hash), hex(id), hex(user_id), remember, created_at, last_seen_at,
                        expires_at, address, device, ended_at, end_reason, ended_by) FROM sessions",
                "SELECT concat_ws('|', type, name, sql) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'",
            ]
            .into_iter()
            .flat_map(|sql| self.rows(sql))
            .collect()
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_rows_and_another_one_others() {
        let (one, two) = (made(&PLAN), made(&PLAN));
        assert_eq!(one.dump(), two.dump());
        assert_eq!(one.cookies, two.cookies);
        let other = made(&Plan { seed: 8, ..PLAN });
        assert_ne!(one.dump(), other.dump());
        assert_ne!(one.cookies, other.cookies);
    }

    #[test]
    fn each_live_session_has_a_cookie_of_the_site() {
        let made = made(&PLAN);
        let lines: Vec<&str> = made.site_cookies.lines().collect();
        assert_eq!(lines.len(), 70);
        let stored = made.rows(
            "SELECT lower(hex(secret_hash)) FROM site_secrets WHERE host = 'app.example.com'",
        );
        for line in lines {
            let value = line.strip_prefix("vestibule-site=").unwrap();
            let hash: String =
                seeding::hash(value)
                    .unwrap()
                    .iter()
                    .fold(String::new(), |mut text, byte| {
                        let _ = write!(text, "{byte:02x}");
                        text
                    });
            assert!(stored.contains(&hash), "{line}");
        }
        assert_eq!(
            made.rows("SELECT host || ' ' || fallback FROM sites"),
            ["app.example.com signed-in"]
        );
    }

    #[test]
    fn there_is_what_was_asked_for() {
        let made = made(&PLAN);
        let counts = made.rows(
            "SELECT concat_ws(' ', (SELECT count(*) FROM users), count(*) FILTER (WHERE ended_at IS NULL),
                    count(*) FILTER (WHERE ended_at IS NOT NULL), count(DISTINCT device) > 5) FROM sessions",
        );
        assert_eq!(counts, ["30 70 20 1"]);
        assert!(
            made.rows("SELECT name FROM sqlite_schema WHERE name = 'sessions_live_seen'")
                .len()
                == 1
        );
        assert!(made.rows("SELECT * FROM pragma_integrity_check").concat() == "ok");
        assert!(
            made.rows("SELECT \"table\" FROM pragma_foreign_key_check")
                .is_empty()
        );
    }

    #[test]
    fn times_are_in_order_and_live_sessions_live_for_weeks() {
        let wrong = made(&PLAN).rows(
            "SELECT hex(id) FROM sessions WHERE NOT (
                 created_at >= 1795478400000000 - 2592000000000 AND created_at <= last_seen_at
                 AND last_seen_at <= coalesce(ended_at, 1795478400000000)
                 AND min(idle_expires_at, expires_at) > 1795478400000000 + 14 * 86400000000)",
        );
        assert_eq!(wrong, Vec::<String>::new());
    }

    #[test]
    fn each_cookie_is_one_of_a_live_session() {
        let made = made(&PLAN);
        let lines: Vec<&str> = made.cookies.lines().collect();
        assert_eq!(lines.len(), 70);
        assert!(
            lines
                .iter()
                .all(|line| line.starts_with("vestibule=") && line.len() == 53)
        );
        let live = made.rows("SELECT hex(token_hash) FROM sessions WHERE ended_at IS NULL");
        let hashed: Vec<String> = lines.iter().map(|line| hash_of(&line[10..])).collect();
        assert_eq!(hashed, live);
    }

    /// What the server looks for when it is handed this value.
    fn hash_of(value: &str) -> String {
        let hash = seeding::hash(value).expect("a cookie's value");
        hash.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02X}");
            text
        })
    }
}
