//! Sites and rules: kept in memory, changed in the database, live from the next request on.

use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

use super::host::{Host, Pattern};
use super::rules::{Rule, Site};
use super::store;
use super::terms::{Factors, Terms};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::db::{Generation, Key, Row, Snapshot, Tx};
use crate::foundation::error::Error;
use crate::foundation::version::Version;

/// The sites as they were at some version.
#[derive(Debug, Default)]
pub struct Policy {
    version: i64,
    pub sites: Vec<Site>,
}

impl Row for Policy {
    fn key(&self) -> Key {
        Key::Policy
    }
}

/// The last copy that was read, whether or not it is in force.
#[derive(Debug, Default)]
pub struct Cached(RwLock<Arc<Policy>>);

impl Policy {
    /// The site that a host belongs to; an exact host stands before a wildcard.
    #[must_use]
    pub fn site(&self, host: &Host) -> Option<&Site> {
        let mut covering = self.sites.iter().filter(|site| site.host.matches(host));
        let first = covering.next();
        let exact = |site: &&Site| matches!(site.host, Pattern::Exact(_));
        first
            .filter(exact)
            .or_else(|| covering.find(exact))
            .or(first)
    }
}

/// The policy in force. The version in the database is looked at each time, and no more than that
/// unless it has changed.
///
/// # Errors
/// The database failed, or a row cannot be read; nobody is let in then.
pub async fn current(app: &App) -> Result<Arc<Policy>, Error> {
    let generation = app.db.cache().generation();
    at(app, generation, store::version(app.db.reader()).await?).await
}

/// The policy in force, out of memory; `None`: the database has to be asked.
#[must_use]
pub fn cached(snapshot: &Snapshot<'_>) -> Option<Arc<Policy>> {
    snapshot.get(&Key::Policy)
}

/// The policy of a version that was just seen in the database, in this generation, or a newer one.
///
/// # Errors
/// See [`current`].
pub async fn at(app: &App, generation: Generation, version: i64) -> Result<Arc<Policy>, Error> {
    let policy = read(app, version).await?;
    app.db
        .cache()
        .insert(generation, [policy.clone() as Arc<dyn Row>]);
    Ok(policy)
}

async fn read(app: &App, version: i64) -> Result<Arc<Policy>, Error> {
    let cached = app.state::<Cached>();
    let known = cached
        .0
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if known.version == version {
        return Ok(known);
    }
    let (version, sites) = store::policy(app.db.reader(), app.settings.url().scheme()).await?;
    let policy = Arc::new(Policy { version, sites });
    *cached.0.write().unwrap_or_else(PoisonError::into_inner) = policy.clone();
    Ok(policy)
}

/// Why a change of sites or rules was refused. Nothing was changed then.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    BadHost,
    Taken(String),
    SignInHost,
    UnknownSite,
    UnknownRule,
    /// The form was made from something older than this, which stands now.
    Conflict(Box<Site>),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadHost => f.write_str("A site is a host like app.example.com, or *.example.com for all one level below."),
            Self::Taken(host) => write!(f, "There is {host} already; cookies do not tell ports of one name apart."),
            Self::SignInHost => f.write_str("That is the host people sign in at; it is never a protected site, whatever the port."),
            Self::UnknownSite => f.write_str("There is no such site."),
            Self::UnknownRule => f.write_str("There is no such rule."),
            Self::Conflict(now) => write!(f, "{} was changed meanwhile.", now.host),
        }
    }
}

type Outcome<T> = Result<Result<T, Refused>, Error>;

/// Adds a site.
///
/// # Errors
/// The database failed.
pub async fn add_site(app: &App, actor: &Actor, host: &str, terms: Terms) -> Outcome<Site> {
    let Some(pattern) = Pattern::parse(host, app.settings.url().scheme()) else {
        return Ok(Err(Refused::BadHost));
    };
    if matches!(&pattern, Pattern::Exact(host) if host.name() == app.sign_in_name()) {
        return Ok(Err(Refused::SignInHost));
    }
    let site = Site {
        id: Uuid::now_v7(),
        host: pattern,
        terms: terms.checked(),
        rules: Vec::new(),
    };
    let mut tx = app.db.begin().await?;
    let others = current(app).await?;
    if let Some(other) = others
        .sites
        .iter()
        .find(|other| other.host.shares_name_with(&site.host))
    {
        return Ok(Err(Refused::Taken(other.host.to_string())));
    }
    store::insert_site(&mut tx, &site).await?;
    let change = format!("added {} ({})", site.host, site.terms);
    commit_change(app, tx, actor, Event::SiteChange, change).await?;
    Ok(Ok(site))
}

/// Changes what holds for a site as a whole.
///
/// # Errors
/// The database failed.
pub async fn change_site(
    app: &App,
    actor: &Actor,
    id: Uuid,
    terms: Terms,
    made_from: Option<&Version>,
) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    let policy = current(app).await?;
    let Some(before) = policy.sites.iter().find(|site| site.id == id) else {
        return Ok(Err(Refused::UnknownSite));
    };
    let site = Site {
        terms: terms.checked(),
        ..before.clone()
    };
    // A save that was sent twice, or that somebody else made too, is none.
    if Version::is_stale(made_from, &before.terms.version()) && site.terms != before.terms {
        return Ok(Err(Refused::Conflict(Box::new(before.clone()))));
    }
    store::update_site(&mut tx, &site).await?;
    let change = format!("changed {} ({})", site.host, site.terms);
    commit_change(app, tx, actor, Event::SiteChange, change).await?;
    Ok(Ok(()))
}

/// Removes a site and its rules: its host is denied from then on.
///
/// # Errors
/// The database failed.
pub async fn remove_site(app: &App, actor: &Actor, id: Uuid) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    let policy = current(app).await?;
    let host = policy
        .sites
        .iter()
        .find(|site| site.id == id)
        .map(|site| site.host.to_string());
    if !store::delete_site(&mut tx, id).await? {
        return Ok(Err(Refused::UnknownSite));
    }
    let change = format!("removed {}", host.unwrap_or_default());
    commit_change(app, tx, actor, Event::SiteChange, change).await?;
    Ok(Ok(()))
}

/// Counts the policy on and records what changed, in the transaction that changed it.
async fn commit_change(
    app: &App,
    mut tx: Tx,
    actor: &Actor,
    event: Event,
    change: String,
) -> Result<(), Error> {
    store::count_on(&mut tx).await?;
    let record = Record::anonymous(event).detail(change);
    audit::commit(tx, app.clock.now(), actor, &[record]).await
}

/// Adds a rule to a site, as the `at`-th (1 is the first) or as the last.
///
/// # Errors
/// The database failed.
pub async fn add_rule(
    app: &App,
    actor: &Actor,
    site_id: Uuid,
    rule: Rule,
    at: Option<u32>,
    made_from: Option<&Version>,
) -> Outcome<Rule> {
    let mut tx = app.db.begin().await?;
    let policy = current(app).await?;
    let Some(site) = policy.sites.iter().find(|site| site.id == site_id) else {
        return Ok(Err(Refused::UnknownSite));
    };
    if Version::is_stale(made_from, &site.rules_version()) {
        return Ok(Err(Refused::Conflict(Box::new(site.clone()))));
    }
    let last = site.rules.len() + 1;
    let position =
        i64::try_from(at.map_or(last, |at| (at.max(1) as usize).min(last))).unwrap_or(i64::MAX);
    store::move_down(&mut tx, site.id, position).await?;
    store::insert_rule(&mut tx, site.id, position, &rule).await?;
    let change = format!("{}: added {}", site.host, summary(&rule));
    commit_change(app, tx, actor, Event::RuleChange, change).await?;
    Ok(Ok(rule))
}

/// Without methods and networks, which may be many.
fn summary(rule: &Rule) -> String {
    let two = match rule.factors {
        Factors::One => "",
        Factors::Two => " with two factors",
    };
    format!("{} {} for {}{two}", rule.effect, rule.path, rule.who)
}

/// Removes a rule, and says of which site.
///
/// # Errors
/// The database failed.
pub async fn remove_rule(
    app: &App,
    actor: &Actor,
    id: Uuid,
    made_from: Option<&Version>,
) -> Outcome<Uuid> {
    let mut tx = app.db.begin().await?;
    let policy = current(app).await?;
    let found = policy
        .sites
        .iter()
        .find_map(|site| Some((site, site.rules.iter().find(|rule| rule.id == id)?)));
    let Some((site, rule)) = found else {
        return Ok(Err(Refused::UnknownRule));
    };
    // Two admins who each take one of two rules away, for the other is there, would open a site.
    if Version::is_stale(made_from, &site.rules_version()) {
        return Ok(Err(Refused::Conflict(Box::new(site.clone()))));
    }
    store::delete_rule(&mut tx, id).await?;
    let change = format!("{}: removed {}", site.host, summary(rule));
    commit_change(app, tx, actor, Event::RuleChange, change).await?;
    Ok(Ok(site.id))
}
