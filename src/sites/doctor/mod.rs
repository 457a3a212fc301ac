//! The doctor: asks a protected site as a browser would, and the issuer as an application would, and says of each thing that must be right
//! whether it is, and of each that is not how to cure it.
//!
//! Only hosts of configured sites and the sign-in host are ever asked, no redirect is followed and no
//! page of theirs is shown: it is no way to make the server fetch addresses.

mod client;
mod issuer;
mod paths;
mod reply;
mod steps;

use serde::Serialize;
use url::Url;

use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::settings::Required;
use crate::people::passkeys::{self, Unavailable};
use crate::people::second_factors;
use crate::sites::decision::{Asked, Decision, decide};
use crate::sites::policy;
use crate::sites::rules::Site;
use crate::sites::tickets::site_address;
use crate::web::cookies::HostCookie;

pub use client::{Client, Trust};
pub use issuer::Issuer;
use paths::Closed;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Right,
    Wrong,
    /// It cannot be seen from outside, or not before something else is right.
    Unseen,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub step: &'static str,
    /// What should be.
    pub title: &'static str,
    pub outcome: Outcome,
    /// What is.
    pub found: String,
    pub cure: Option<String>,
}

/// Looks at the site that `url` is a page of, and at further paths of it; or at the issuer, if it is that one's host.
///
/// # Errors
/// The database failed.
pub async fn examine(
    app: &App,
    url: &str,
    further: &[String],
    client: Client,
    issuer: Option<Issuer>,
) -> Result<Vec<Finding>, Error> {
    let clock = clock(app);
    if let Some(issuer) = issuer.filter(|issuer| issuer::is_meant(issuer, url)) {
        let all = move || issuer::all(&issuer, &client);
        let examination = rocket::tokio::task::spawn_blocking(all);
        let mut findings = examination.await.unwrap_or_default();
        findings.push(clock);
        return Ok(findings);
    }
    let mut findings = match find_target(app, url, further).await? {
        Ok(target) => {
            let factors = factors(app, target.two_factors).await?;
            let all = move || steps::all(&target, &client);
            let examination = rocket::tokio::task::spawn_blocking(all);
            let mut findings = examination.await.unwrap_or_default();
            findings.push(factors);
            findings
        }
        Err(finding) if clock.outcome == Outcome::Right => return Ok(vec![finding]),
        Err(finding) => vec![finding],
    };
    findings.push(clock);
    Ok(findings)
}

/// Not of the site; but a wrong clock makes all else odd.
fn clock(app: &App) -> Finding {
    let judged = match app.clock.fault() {
        None => steps::right("It goes on as it should."),
        Some(doubt) => steps::wrong(
            format!("It seems that {doubt}."),
            "Set the system’s clock and keep it right: timedatectl set-ntp true",
        ),
    };
    steps::finding("clock", judged)
}

/// What the site, or the settings, ask for, and who cannot give it.
async fn factors(app: &App, at_site: bool) -> Result<Finding, Error> {
    let elsewhere = passkeys::count_elsewhere(app).await?;
    let judged = if elsewhere > 0 {
        steps::wrong(
            format!(
                "Passkeys that were made for another host, and can be used no more: {elsewhere}."
            ),
            "Browsers bind a passkey to the host of public_url. Set it back, or have their owners come in another way and make new ones; `vestibule user reset-factors NAME` helps who has no other way.",
        )
    } else if at_site || app.settings.second_factor.required != Required::None {
        let without = second_factors::count_without(app.db.reader()).await?;
        let passkeys = Unavailable::of(&app.settings).map(|why| format!(" {why}"));
        steps::right(format!(
            "Two are asked for. Users who have none yet, and set one up when they are asked: {without}.{}",
            passkeys.unwrap_or_default()
        ))
    } else {
        steps::right("One factor is enough here.")
    };
    Ok(steps::finding("factors", judged))
}

/// What the steps need to know.
struct Target {
    public_url: Url,
    /// The cookie that a page sets which asks for sign-in.
    flow_cookie: &'static str,
    secure: bool,
    site: String,
    page: Url,
    /// Whether some page of the site asks for two.
    two_factors: bool,
    /// Whether the rules open the page to everyone.
    public: bool,
    /// A page that the rules open only to those who are signed in.
    guarded: Option<Url>,
    /// Paths that are open to nobody who is not signed in.
    closed: Vec<Closed>,
}

/// Finds the site, or says why there is none.
async fn find_target(
    app: &App,
    text: &str,
    further: &[String],
) -> Result<Result<Target, Finding>, Error> {
    let Some(address) = site_address(app, text).await? else {
        return Ok(Err(unknown(app, text)));
    };
    let policy = policy::current(app).await?;
    let (Some(site), Ok(mut page)) = (
        app.site_of(&policy, address.host()),
        Url::parse(address.as_str()),
    ) else {
        return Ok(Err(unknown(app, text)));
    };
    page.set_fragment(None);
    Ok(Ok(Target {
        public_url: app.settings.url().clone(),
        flow_cookie: HostCookie::flow(&app.settings).name(),
        secure: app.settings.secure(),
        site: format!("{} (otherwise: {})", site.host, site.terms),
        two_factors: site.asks_for_two_factors(),
        public: decision(site, page.path()) == Decision::Allow,
        guarded: guarded(site, &page),
        closed: paths::closed(site, &page, further),
        page,
    }))
}

/// The page, or another of the same site, that asks for sign-in.
fn guarded(site: &Site, page: &Url) -> Option<Url> {
    let asks = |path: &&str| {
        matches!(
            decision(site, path),
            Decision::SignIn | Decision::SecondFactor
        )
    };
    if asks(&page.path()) {
        return Some(page.clone());
    }
    let path = ["/", "/vestibule-doctor"].into_iter().find(asks)?;
    page.join(path).ok()
}

/// For somebody who is not signed in, at an address that is not known.
fn decision(site: &Site, path: &str) -> Decision {
    let asked = Asked {
        method: "GET",
        path,
        address: None,
    };
    decide(site, &asked, None)
}

fn unknown(app: &App, text: &str) -> Finding {
    let public_url = app.settings.url();
    let scheme = public_url.scheme();
    let (found, cure) = match Url::parse(text) {
        Ok(url) if url.host_str() == public_url.host_str() && url.has_host() => (
            "That is the host people sign in at; it is no protected site.".to_owned(),
            "Give the address of a page of a protected site.".to_owned(),
        ),
        Ok(url) if url.has_host() && url.scheme() != scheme => (
            format!(
                "The address begins with {}: and public_url with {scheme}:.",
                url.scheme()
            ),
            format!(
                "Sites are protected under the scheme of public_url alone; give the address with {scheme}:."
            ),
        ),
        Ok(url) if url.has_host() => {
            let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
            (
                format!("{host} is no site that Vestibule knows, so it is closed to everyone."),
                format!("vestibule site add {host} --default signed-in"),
            )
        }
        _ => (
            "That is no address of a page.".to_owned(),
            format!("Write it with its scheme: {scheme}: and two slashes, then the host."),
        ),
    };
    steps::finding("site", steps::wrong(found, cure))
}
