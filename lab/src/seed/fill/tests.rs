use std::fmt::Write as _;
use std::path::PathBuf;

use super::*;
use crate::library::{Timestamp, seeding};

const PLAN: Plan = Plan {
    users: 30,
    live: 70,
    ended: 20,
    seed: 7,
    now: Timestamp::from_micros(1_795_478_400_000_000),
};

struct Filled {
    path: PathBuf,
    cookies: String,
    site_cookies: String,
    _folder: tempfile::TempDir,
}

fn filled(plan: &Plan) -> Filled {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seeded.db");
    let cookies = folder.path().join("cookies");
    let site_cookies = folder.path().join("site-cookies");
    let wanted = CookieFiles {
        sign_in: Some(&cookies),
        site: Some(("app.example.com", &site_cookies)),
        ..CookieFiles::default()
    };
    fill(&path, plan, &wanted).unwrap();
    Filled {
        path,
        cookies: std::fs::read_to_string(cookies).unwrap(),
        site_cookies: std::fs::read_to_string(site_cookies).unwrap(),
        _folder: folder,
    }
}

impl Filled {
    fn rows(&self, sql: &'static str) -> Vec<String> {
        sqlite::connected(&sqlite::file(&self.path), async |connection| {
            sqlx::query_scalar(sql).fetch_all(connection).await
        })
        .unwrap_or_else(|error: sqlx::Error| panic!("{sql}: {error}"))
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
    let (one, two) = (filled(&PLAN), filled(&PLAN));
    assert_eq!(one.dump(), two.dump());
    assert_eq!(one.cookies, two.cookies);
    let other = filled(&Plan { seed: 8, ..PLAN });
    assert_ne!(one.dump(), other.dump());
    assert_ne!(one.cookies, other.cookies);
}

#[test]
fn each_live_session_has_a_cookie_of_the_site() {
    let filled = filled(&PLAN);
    let lines: Vec<&str> = filled.site_cookies.lines().collect();
    assert_eq!(lines.len(), 70);
    let stored =
        filled.rows("SELECT hex(secret_hash) FROM site_secrets WHERE host = 'app.example.com'");
    for line in lines {
        let value = line.strip_prefix("vestibule-site=").unwrap();
        let hash = hash_of(value);
        assert!(stored.contains(&hash), "{line}");
    }
    assert_eq!(
        filled.rows("SELECT host || ' ' || fallback FROM sites"),
        ["app.example.com signed-in"]
    );
}

#[test]
fn there_is_what_was_asked_for() {
    let filled = filled(&PLAN);
    let counts = filled.rows(
        "SELECT concat_ws(' ', (SELECT count(*) FROM users), count(*) FILTER (WHERE ended_at IS NULL),
                count(*) FILTER (WHERE ended_at IS NOT NULL), count(DISTINCT device) > 5) FROM sessions",
    );
    assert_eq!(counts, ["30 70 20 1"]);
    assert!(
        filled
            .rows("SELECT name FROM sqlite_schema WHERE name = 'sessions_live_seen'")
            .len()
            == 1
    );
    let found = filled.rows(
        "SELECT username FROM search_users JOIN search_keys k ON k.n = search_users.rowid JOIN users u ON u.id = k.user_id
         WHERE search_users MATCH '\"isha ade\"'",
    );
    assert_eq!(found, ["aisha.adeyemi"]);
    assert!(filled.rows("SELECT * FROM pragma_integrity_check").concat() == "ok");
    assert!(
        filled
            .rows("SELECT \"table\" FROM pragma_foreign_key_check")
            .is_empty()
    );
}

#[test]
fn times_are_in_order_and_live_sessions_live_for_weeks() {
    let wrong = filled(&PLAN).rows(
        "SELECT hex(id) FROM sessions WHERE NOT (
             created_at >= 1795478400000000 - 2592000000000 AND created_at <= last_seen_at
             AND last_seen_at <= coalesce(ended_at, 1795478400000000)
             AND min(idle_expires_at, expires_at) > 1795478400000000 + 14 * 86400000000)",
    );
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn each_cookie_is_one_of_a_live_session() {
    let filled = filled(&PLAN);
    let lines: Vec<&str> = filled.cookies.lines().collect();
    assert_eq!(lines.len(), 70);
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("vestibule=") && line.len() == 53)
    );
    let live = filled.rows("SELECT hex(token_hash) FROM sessions WHERE ended_at IS NULL");
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
