//! Makes a large database of made-up users and sessions, for the experiments and to try pages on.

mod cookie_file;
mod fake_data;
mod fill;
mod insert;

use std::path::{Path, PathBuf};

use clap::Args;
use xtask::run::{Outcome, Stop, say};

use crate::library::{self, Timestamp};

pub use fill::fill;

/// Make a database with many users and sessions
///
/// The users have no passwords: only their sessions, or an admin's that is added later, sign in.
/// The same seed makes the same rows; their times count from the beginning of the day (UTC).
#[derive(Args)]
#[command(
    after_help = "Example: cargo xtask seed --database large.db --sessions 1000000 --users 100000 --cookies cookies.txt"
)]
pub struct Seed {
    /// The file to make; it must not be there yet
    #[arg(long, value_name = "FILE")]
    database: PathBuf,
    /// Live sessions
    #[arg(long, value_name = "N")]
    sessions: u64,
    #[arg(long, value_name = "N")]
    users: u64,
    /// Write cookies of live sessions to this file, one NAME=VALUE a line, 20,000 at most
    #[arg(long, value_name = "FILE")]
    cookies: Option<PathBuf>,
    /// Protect this site, and let the first live sessions enter it
    #[arg(long, value_name = "HOST", requires = "site_cookies")]
    site: Option<String>,
    /// Write the cookies of those sessions at the site to this file, as --cookies does
    #[arg(long, value_name = "FILE", requires = "site")]
    site_cookies: Option<PathBuf>,
    /// Ended sessions, besides the live ones
    #[arg(long, value_name = "N", default_value_t = 0)]
    ended: u64,
    /// Another seed makes other rows
    #[arg(long, value_name = "K", default_value_t = 1)]
    seed: u64,
}

/// What a database is to hold.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub users: u64,
    pub live: u64,
    pub ended: u64,
    pub seed: u64,
    /// When the newest session was last seen.
    pub now: Timestamp,
}

impl Plan {
    /// A quarter as many ended sessions as live ones, and the same rows whenever it is used on a day.
    pub fn of(live: u64, users: u64) -> Self {
        Self {
            users,
            live,
            ended: live / 4,
            seed: 1,
            now: today(),
        }
    }
}

/// Files for the cookies of live sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct CookieFiles<'a> {
    /// Cookies at the sign-in host.
    pub sign_in: Option<&'a Path>,
    /// A protected host that the sessions have entered, and the file for their cookies there.
    pub site: Option<(&'a str, &'a Path)>,
    /// App tokens of the users.
    pub tokens: Option<&'a Path>,
    /// Access tokens that an application of OpenID Connect has for them.
    pub access_tokens: Option<&'a Path>,
}

/// A protected host for databases that need one.
pub const SITE: &str = "app.example.com";

/// All that decides which rows a plan makes, beside the schema.
pub const SOURCE: [&str; 3] = [
    include_str!("fake_data.rs"),
    include_str!("fill.rs"),
    include_str!("insert.rs"),
];

/// More rows of a kind than this are a typing error.
const MAX_ROWS: u64 = 20_000_000;

impl Seed {
    pub fn run(&self) -> Outcome {
        let plan = self.plan(today())?;
        let wanted = CookieFiles {
            sign_in: self.cookies.as_deref(),
            site: self.site.as_deref().zip(self.site_cookies.as_deref()),
            tokens: None,
            access_tokens: None,
        };
        fill(&self.database, &plan, &wanted)?;
        say(&format!(
            "{}: {} users, {} live and {} ended sessions",
            self.database.display(),
            plan.users,
            plan.live,
            plan.ended
        ));
        Ok(())
    }

    fn plan(&self, now: Timestamp) -> Result<Plan, Stop> {
        let sessions = self.sessions.saturating_add(self.ended);
        if sessions > MAX_ROWS || self.users > MAX_ROWS {
            return Err(Stop::usage(format!(
                "{sessions} sessions of {} users: {MAX_ROWS} of each are the most",
                self.users
            )));
        }
        if self.users == 0 && sessions > 0 {
            return Err(Stop::usage(
                "--users 0: sessions belong to users; ask for 1 user at least",
            ));
        }
        refuse_existing("--database", &self.database)?;
        if let Some(cookies) = &self.cookies {
            refuse_existing("--cookies", cookies)?;
        }
        if let Some(cookies) = &self.site_cookies {
            refuse_existing("--site-cookies", cookies)?;
        }
        if let Some(host) = self.site.as_ref().filter(|host| !library::is_host(host)) {
            return Err(Stop::usage(format!("--site {host}: is not a host name")));
        }
        Ok(Plan {
            users: self.users,
            live: self.sessions,
            ended: self.ended,
            seed: self.seed,
            now,
        })
    }
}

fn refuse_existing(option: &str, path: &Path) -> Outcome {
    if path.symlink_metadata().is_ok() {
        return Err(Stop::usage(format!(
            "{option} {}: it is there already; name a new file, or remove that one",
            path.display()
        )));
    }
    Ok(())
}

/// The beginning of the day, so that seeding twice gives the same rows.
pub fn today() -> Timestamp {
    const DAY: i64 = 24 * 60 * 60 * 1_000_000;
    let now = library::now().unix_micros();
    Timestamp::from_micros(now - now % DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(users: u64, sessions: u64, ended: u64) -> Seed {
        Seed {
            database: PathBuf::from("/no/such/folder/new.db"),
            sessions,
            users,
            cookies: None,
            site: None,
            site_cookies: None,
            ended,
            seed: 1,
        }
    }

    fn refusal(seed: &Seed) -> Stop {
        seed.plan(today()).unwrap_err()
    }

    #[test]
    fn sessions_without_users_are_wrong_usage() {
        let stop = refusal(&seed(0, 1, 0));
        assert_eq!(stop.code, 2);
        assert!(stop.reason.starts_with("--users 0"), "{}", stop.reason);
        assert_eq!(refusal(&seed(0, 0, 1)).code, 2);
        assert!(seed(0, 0, 0).plan(today()).is_ok());
    }

    #[test]
    fn more_than_20_million_are_wrong_usage() {
        assert!(seed(1, MAX_ROWS, 0).plan(today()).is_ok());
        assert_eq!(refusal(&seed(1, MAX_ROWS, 1)).code, 2);
        assert_eq!(refusal(&seed(MAX_ROWS + 1, 1, 0)).code, 2);
        assert_eq!(refusal(&seed(1, u64::MAX, u64::MAX)).code, 2);
    }

    #[test]
    fn a_file_that_is_there_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there");
        std::fs::write(&there, "precious").unwrap();
        let database = Seed {
            database: there.clone(),
            ..seed(1, 1, 0)
        };
        let cookies = Seed {
            cookies: Some(there.clone()),
            ..seed(1, 1, 0)
        };
        for refused in [database.run().unwrap_err(), cookies.run().unwrap_err()] {
            assert_eq!(refused.code, 2);
            assert!(refused.reason.contains("there already"));
        }
        assert_eq!(std::fs::read_to_string(&there).unwrap(), "precious");
    }
}
