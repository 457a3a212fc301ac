//! What is in the rows: made-up people, and the devices and addresses that they sign in from.

use std::net::{Ipv4Addr, Ipv6Addr};

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use uuid::Uuid;

use crate::library::{Timestamp, seeding};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;

/// Sessions were started within this before the plan's `now`.
pub const SPAN: i64 = 30 * DAY;

/// Long enough for a seeded database to be of use for weeks.
const IDLE: i64 = 60 * DAY;
const LIFETIME: i64 = 90 * DAY;

const FIRST_NAMES: [&str; 40] = [
    "ada", "aisha", "alan", "amara", "anna", "antonio", "beatriz", "boris", "carla", "chen",
    "clara", "david", "diego", "elif", "emma", "farid", "fatima", "george", "grace", "hana",
    "hugo", "ines", "ivan", "jana", "jonas", "kofi", "lena", "liam", "lucia", "marta", "mei",
    "nadia", "noah", "olga", "omar", "petra", "rosa", "samuel", "sofia", "tomas",
];

const LAST_NAMES: [&str; 50] = [
    "adeyemi", "almeida", "andersen", "bauer", "bianchi", "brown", "carter", "castro", "chavez",
    "dubois", "evans", "farkas", "fischer", "garcia", "gupta", "haddad", "hansen", "herrera",
    "horvat", "ito", "jansen", "jones", "kaya", "khan", "kim", "kowalski", "larsen", "lefevre",
    "lopez", "meyer", "miller", "moreau", "nakamura", "nguyen", "novak", "okafor", "olsen",
    "patel", "popescu", "quinn", "ricci", "rossi", "santos", "schmidt", "silva", "smith", "suzuki",
    "tanaka", "virtanen", "wagner",
];

pub const GROUPS: [&str; 6] = ["board", "editors", "family", "guests", "staff", "support"];

/// Each as often as the others, but for the last one.
const USER_AGENTS: [&str; 14] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0",
    "curl/8.15.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.21 (KHTML, like Gecko) konqueror/4.14.26 Safari/537.21",
];

/// One session in this many is of the last user agent.
const RARE: u32 = 2_000;

pub struct User {
    pub id: Uuid,
    pub username: String,
    pub display_name: String,
    pub email: String,
    pub group: Option<&'static str>,
    pub created_at: i64,
}

/// The user of this number; the name tells the number, so that it is there once.
pub fn user(number: u64, now: Timestamp, rng: &mut StdRng) -> User {
    let index = usize::try_from(number).expect("there are fewer users than addresses of memory");
    let first = FIRST_NAMES[index % FIRST_NAMES.len()];
    let last = LAST_NAMES[index / FIRST_NAMES.len() % LAST_NAMES.len()];
    let round = match index / (FIRST_NAMES.len() * LAST_NAMES.len()) {
        0 => String::new(),
        round => round.to_string(),
    };
    let username = format!("{first}.{last}{round}");
    let created_at = now.unix_micros() - SPAN - rng.random_range(0..365 * DAY);
    User {
        id: id_at(created_at, rng),
        display_name: format!("{} {}", capital(first), capital(last)),
        email: format!("{username}@example.com"),
        username,
        group: rng
            .random_bool(0.3)
            .then(|| GROUPS[rng.random_range(0..GROUPS.len())]),
        created_at,
    }
}

fn capital(name: &str) -> String {
    name[..1].to_ascii_uppercase() + &name[1..]
}

pub struct Session {
    pub token: [u8; 32],
    pub id: Uuid,
    pub remember: bool,
    pub created_at: i64,
    pub last_seen_at: i64,
    pub idle_expires_at: i64,
    pub expires_at: i64,
    pub address: String,
    pub user_agent: usize,
    pub end: Option<End>,
}

pub struct End {
    pub at: i64,
    pub reason: &'static str,
    pub by: String,
}

/// A session that `username` started at `created_at`.
pub fn session(
    username: &str,
    created_at: i64,
    ended: bool,
    now: Timestamp,
    rng: &mut StdRng,
) -> Session {
    let now = now.unix_micros();
    let last_seen_at = rng.random_range(created_at..=now);
    let mut token = [0; 32];
    rng.fill_bytes(&mut token);
    Session {
        token,
        id: id_at(created_at, rng),
        remember: rng.random_bool(0.3),
        created_at,
        last_seen_at,
        idle_expires_at: last_seen_at + IDLE,
        expires_at: created_at + LIFETIME,
        address: address(rng),
        user_agent: user_agent(rng),
        end: ended.then(|| end(username, last_seen_at, now, rng)),
    }
}

/// The place of one in the list.
fn user_agent(rng: &mut StdRng) -> usize {
    if rng.random_ratio(1, RARE) {
        USER_AGENTS.len() - 1
    } else {
        rng.random_range(0..USER_AGENTS.len() - 1)
    }
}

fn end(username: &str, last_seen_at: i64, now: i64, rng: &mut StdRng) -> End {
    let reason = seeding::END_REASONS[rng.random_range(0..seeding::END_REASONS.len())];
    let by = match reason {
        "idle" | "max_lifetime" => "vestibule",
        "revoked" => "admin",
        _ => username,
    };
    End {
        at: rng.random_range(last_seen_at..=now),
        reason,
        by: by.to_owned(),
    }
}

/// From ranges that are nobody's: private, for documentation, for benchmarks.
fn address(rng: &mut StdRng) -> String {
    match rng.random_range(0..10) {
        0..2 => {
            Ipv4Addr::new(192, 168, rng.random_range(0..4), rng.random_range(1..255)).to_string()
        }
        2..7 => {
            let [a, b, c] = rng.random();
            Ipv4Addr::new(198, 18 + a % 2, b, c).to_string()
        }
        _ => {
            let [site, subnet, c, d, e, f]: [u16; 6] = rng.random();
            Ipv6Addr::new(0x2001, 0xdb8, site, subnet % 16, c, d, e, f).to_string()
        }
    }
}

/// A `UUIDv7` of this time.
fn id_at(micros: i64, rng: &mut StdRng) -> Uuid {
    let millis = u64::try_from(micros / 1_000).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &rng.random()).into_uuid()
}

/// The user agents, each with its device in words.
pub fn devices() -> Vec<(&'static str, String)> {
    USER_AGENTS
        .iter()
        .map(|user_agent| (*user_agent, seeding::device(user_agent)))
        .collect()
}
