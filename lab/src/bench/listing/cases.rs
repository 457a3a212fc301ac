//! Each kind of request that lists, and what its answer must have.

use super::samples::Samples;

pub struct Case {
    pub name: &'static str,
    /// One for all rounds, or one for each.
    pub paths: Vec<String>,
    pub expect: Expect,
}

pub enum Expect {
    /// A page with at least so many of these.
    Rows(usize, &'static str),
    /// A page with none of these.
    NoRow(&'static str),
    /// A form is sent, and taken.
    Done,
}

/// What a row of each page has once.
const SESSION_ROW: &str = "data-label=\"Device\"";
const OWN_ROW: &str = "class=\"device\"";
const USER_ROW: &str = "data-label=\"Email\"";

/// Those that are measured with every number of sessions.
pub const EVERYWHERE: [&str; 3] = [FIRST, FAR_END, ONE_USER];

const FIRST: &str = "first page";
const FAR_END: &str = "far end, by last seen";
const ONE_USER: &str = "search: one user";

/// All of them, in the order in which they are measured.
pub fn of(samples: &Samples) -> Vec<Case> {
    let mut cases = sessions(samples);
    cases.extend(searches(samples));
    cases.extend(others(samples));
    cases
}

/// A page of the admin's listing with so many rows at least.
fn page(name: &'static str, parameters: impl Into<String>, least: usize) -> Case {
    let parameters = parameters.into();
    Case {
        name,
        paths: vec![format!("/admin/sessions?{parameters}")],
        expect: Expect::Rows(least, SESSION_ROW),
    }
}

fn search(name: &'static str, q: &str, least: usize) -> Case {
    page(name, format!("q={q}"), least)
}

fn sessions(samples: &Samples) -> Vec<Case> {
    vec![
        page(FIRST, "", 50),
        page(FAR_END, format!("after={}", samples.last_seen), 50),
        page(
            "far end, by start",
            format!("sort=started&after={}", samples.started),
            50,
        ),
        page(
            "far end, by user",
            format!("sort=user&after={}", samples.user),
            50,
        ),
        page("by start", "sort=started", 50),
        page("by user", "sort=user", 50),
        page("200 rows", "limit=200", 200),
        page("ended", "state=ended", 50),
        page("ended, by start", "state=ended&sort=started", 50),
        page("ended, by user", "state=ended&sort=user", 50),
        page("all", "state=all", 50),
        page("all, by start", "state=all&sort=started", 50),
        page("all, by user", "state=all&sort=user", 50),
    ]
}

fn searches(samples: &Samples) -> Vec<Case> {
    let network = samples.address.rsplit_once('.').map_or("", |(net, _)| net);
    vec![
        search(ONE_USER, &samples.username, 1),
        search("search: how a user's name begins", "anna.b", 1),
        search("search: 250 of 100,000 users", "rosa.s", 0),
        search("search: 2,000 of 100,000 users", "garcia", 1),
        search("search: all users", "example.com", 50),
        search("search: an address", &samples.address, 1),
        search("search: a rare network", &format!("{network}."), 1),
        search("search: a fifth of all addresses", "192.168.", 50),
        search("search: a common device", "Firefox", 50),
        search("search: a rare device", "Safari+on+Linux", 1),
        page(
            "search: a rare device, by user",
            "q=Safari+on+Linux&sort=user",
            1,
        ),
        page(
            "search: 250 of 100,000 users, ended",
            "q=rosa.s&state=ended",
            0,
        ),
        page(
            "search: 2,000 of 100,000 users, by user",
            "q=garcia&sort=user",
            1,
        ),
        page(
            "search: a common device, by user",
            "q=Firefox&sort=user",
            50,
        ),
        Case {
            expect: Expect::NoRow(SESSION_ROW),
            ..search("search: nothing", "zzyzx", 0)
        },
    ]
}

fn others(samples: &Samples) -> Vec<Case> {
    vec![
        Case {
            name: "own devices",
            paths: vec!["/account/sessions".to_owned()],
            expect: Expect::Rows(1, OWN_ROW),
        },
        Case {
            name: "users, first page",
            paths: vec!["/admin/users".to_owned()],
            expect: Expect::Rows(50, USER_ROW),
        },
        Case {
            name: "users, search: one",
            paths: vec![format!("/admin/users?q={}", samples.username)],
            expect: Expect::Rows(1, USER_ROW),
        },
        Case {
            name: "users, search: nobody",
            paths: vec!["/admin/users?q=zzyzx".to_owned()],
            expect: Expect::NoRow(USER_ROW),
        },
        Case {
            name: "revoke all of a user",
            paths: samples
                .users
                .iter()
                .map(|id| format!("/admin/users/{id}/revoke-sessions"))
                .collect(),
            expect: Expect::Done,
        },
    ]
}
