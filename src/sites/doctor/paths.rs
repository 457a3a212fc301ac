//! Whether something answers beside what Vestibule is asked about: paths that a proxy's file carves out.

use url::Url;

use super::client::{Client, Page};
use super::reply::Reply;
use super::steps::{Judgement, identity_headers, right, unseen, wrong};
use super::{Target, decision};
use crate::foundation::token::Token;
use crate::sites::decision::Decision;
use crate::sites::rules::{PathPattern, Site};

/// What people often lead past a guard.
const USUAL: [&str; 8] = [
    "/",
    "/api/",
    "/api/v1/",
    "/admin/",
    "/static/",
    "/assets/",
    "/uploads/",
    "/ws",
];

/// As many paths are asked for, so that the doctor ends.
const MOST: usize = 40;

/// A path that is closed to who is not signed in, and how.
pub struct Closed {
    url: Url,
    decision: Decision,
}

/// The page's own path, those that the admin names, the rules' and the usual ones, and one that nobody can have thought of.
pub fn closed(site: &Site, page: &Url, named: &[String]) -> Vec<Closed> {
    let of_rules = site.rules.iter().map(|rule| match &rule.path {
        PathPattern::Exact(path) => path.clone(),
        PathPattern::Prefix(prefix) => format!("{prefix}/"),
    });
    let made_up = format!("/doctor-{}", Token::generate().hash().to_text());
    let mut all: Vec<Closed> = Vec::new();
    for path in [page.path().to_owned(), made_up]
        .into_iter()
        .chain(named.iter().cloned())
        .chain(of_rules)
        .chain(USUAL.map(str::to_owned))
    {
        let url = at(page, &path);
        let decision = decision(site, url.path());
        let is_new = all.iter().all(|other| other.url != url);
        if decision != Decision::Allow && is_new && all.len() < MOST {
            all.push(Closed { url, decision });
        }
    }
    all
}

pub fn at(page: &Url, path: &str) -> Url {
    let mut url = page.clone();
    url.set_path(path);
    url.set_query(None);
    url
}

pub fn judge(target: &Target, client: &Client) -> Judgement {
    if target.closed.is_empty() {
        return unseen(
            "Every path that was tried is open to everyone, so it cannot be told who answers.",
        );
    }
    let past: Vec<String> = target
        .closed
        .iter()
        .filter_map(|closed| {
            Some(format!(
                "{} ({})",
                closed.url.path(),
                past(target, client, closed)?
            ))
        })
        .collect();
    if past.is_empty() {
        let paths: Vec<&str> = target.closed.iter().map(|one| one.url.path()).collect();
        return right(format!(
            "Vestibule is asked about each of {}. Other paths were not tried.",
            paths.join(", ")
        ));
    }
    wrong(
        format!(
            "Answered by something that Vestibule was not asked about: {}.",
            past.join(", ")
        ),
        "In the proxy’s file, look for what takes these paths (a location, handle, route, router or backend of their own) and \
         let it be guarded as the file in deploy/ does; the proxy’s page in docs/proxies says how. A redirect or a 404 may be \
         the proxy’s own, and is no fault then.",
    )
}

/// What answered in place of Vestibule; without and with made-up identity headers.
fn past(target: &Target, client: &Client, closed: &Closed) -> Option<String> {
    let plain = ask(client, closed, &[]).ok()?;
    if let Some(what) = is_past(target, closed, &plain) {
        return Some(what);
    }
    for headers in identity_headers("doctor") {
        let seen = ask(client, closed, &headers).ok()?;
        if seen.status < 400 && is_past(target, closed, &seen).is_some() {
            return Some(format!("{} with a made-up {}", seen.status, headers[0].0));
        }
    }
    None
}

/// As a browser, whose way to sign in tells what Vestibule was asked about; where nobody may go on, as
/// a program, which is told so in words of Vestibule's.
fn ask(client: &Client, closed: &Closed, headers: &[(String, String)]) -> Result<Page, String> {
    let program = [("Accept", "application/json"), ("Sec-Fetch-Mode", "cors")];
    let mut all: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    if closed.decision == Decision::Forbid {
        all.extend(program);
    }
    client.open(&closed.url, &all)
}

fn is_past(target: &Target, closed: &Closed, seen: &Page) -> Option<String> {
    match Reply::of(seen, &target.public_url) {
        Reply::SignIn(way) if way.rd == closed.url.as_str() => None,
        Reply::SignIn(way) => Some(format!("Vestibule was asked about {}", way.rd)),
        Reply::Refused(..) => None,
        Reply::Unknown if is_forbidden(seen) => None,
        Reply::Unknown => Some(seen.status.to_string()),
    }
}

/// Vestibule's word for who may not go on; too usual a word to tell Vestibule by in general.
fn is_forbidden(seen: &Page) -> bool {
    seen.status == 403 && seen.body.trim() == r#"{"error":"forbidden"}"#
}
