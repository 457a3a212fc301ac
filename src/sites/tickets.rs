//! Tickets: how a sign-in at the sign-in host comes to a protected host, once.
//!
//! A ticket is good for a minute, for one host, for the browser that began there (whose flow cookie
//! it is bound to) and for as long as the session lives. The first presentation spends it.

use std::time::Duration;

use url::Url;

use super::host::Host;
use super::{path, policy, store};
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::web::cookies::DomainCookie;
use crate::web::return_to::{MOST_BYTES, is_unambiguous};

const LIFETIME: Duration = Duration::from_secs(60);

/// More at once are no person's tabs.
const MOST_UNSPENT: i64 = 20;

/// An address at a protected host that a browser may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteAddress {
    host: Host,
    url: Url,
}

impl SiteAddress {
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }
}

impl SiteAddress {
    /// Reads an address as that of a page of some host, which may be no site.
    #[must_use]
    pub fn parse(address: &str, scheme: &str) -> Option<Self> {
        let fair = address.len() <= MOST_BYTES
            && address.starts_with(&format!("{scheme}://"))
            && is_unambiguous(address)
            && !address.contains(' ');
        let url = Url::parse(address).ok().filter(|_| fair)?;
        let bare = url.username().is_empty() && url.password().is_none();
        let named = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let host = Host::parse(named, scheme).filter(|_| bare)?;
        Some(Self { host, url })
    }

    /// The address as that of a page of this very host; Vestibule's own paths are none, however they are read.
    #[must_use]
    pub fn page_of(address: &str, host: &Host, scheme: &str) -> Option<String> {
        let page = Self::parse(address, scheme)?;
        let readings = path::readings(page.url.path()).ok()?;
        let is_own = readings.iter().any(|path| path.starts_with("/.vestibule/"));
        let leads_there = page.host == *host && !is_own;
        leads_there.then(|| page.url.into())
    }
}

/// Reads the `rd` parameter as the address of a page at a configured site; `None` for anything else.
///
/// # Errors
/// The database failed.
pub async fn site_address(app: &App, rd: &str) -> Result<Option<SiteAddress>, Error> {
    let Some(address) = SiteAddress::parse(rd, app.settings.url().scheme()) else {
        return Ok(None);
    };
    let policy = policy::current(app).await?;
    let known = app.site_of(&policy, &address.host).is_some();
    Ok(known.then_some(address))
}

/// A ticket that was made.
#[derive(Debug)]
pub struct Minted {
    /// The address to present it at.
    pub entrance: String,
    /// The `Set-Cookie` of the cookie that hosts under `sites.cookie_domain` share.
    pub domain_cookie: Option<String>,
}

/// The host of secrets that are good for all hosts under a domain; no host is written so.
#[must_use]
pub fn all_under(domain: &str) -> String {
    format!(".{domain}")
}

/// Makes a ticket for the session with this token. `None`: too many of this session are unspent.
///
/// # Errors
/// The database failed.
pub async fn mint(
    app: &App,
    session: &TokenHash,
    to: &SiteAddress,
    flow: &TokenHash,
    retry: bool,
) -> Result<Option<Minted>, Error> {
    let now = app.clock.now();
    let secret = Token::generate();
    let ticket = store::Ticket {
        token_hash: session.as_bytes().to_vec(),
        flow_hash: flow.as_bytes().to_vec(),
        host: to.host.to_string(),
        rd: to.url.to_string(),
        expires_at: now.plus(LIFETIME),
    };
    let mut tx = app.db.begin_for(session.as_bytes()).await?;
    if store::unspent_tickets(&mut tx, session, now).await? >= MOST_UNSPENT {
        return Ok(None);
    }
    store::insert_ticket(&mut tx, &secret.hash(), &ticket).await?;
    let domain_cookie = match app.settings.sites.domain_over(to.host.name()) {
        Some(domain) => share(&mut tx, domain, &ticket.token_hash, now).await?,
        None => None,
    };
    tx.commit().await?;
    let retry = if retry { "&retry=1" } else { "" };
    Ok(Some(Minted {
        entrance: format!(
            "{}://{}/.vestibule/enter?ticket={}{retry}",
            to.url.scheme(),
            to.host,
            secret.reveal()
        ),
        domain_cookie,
    }))
}

/// Makes a secret for all hosts under a domain, and gives its cookie, if the session is live.
async fn share(
    tx: &mut Tx,
    domain: &str,
    session: &[u8],
    now: Timestamp,
) -> Result<Option<String>, Error> {
    let Some(remembered) = store::live_until(tx, session, now).await? else {
        return Ok(None);
    };
    let secret = Token::generate();
    store::insert_secret(tx, &secret.hash(), session, &all_under(domain), now).await?;
    let max_age = remembered.map(|end| end.since(now));
    Ok(Some(DomainCookie(domain).issue(&secret, max_age)))
}

/// What became of a ticket.
#[derive(Debug)]
pub enum Spent {
    /// The secret is for the browser alone, and good for this host alone.
    Entered {
        secret: Token,
        rd: String,
        max_age: Option<Duration>,
    },
    /// Spent before, too old, of another host, another browser or an ended session; where it led
    /// to, if it led to this host.
    Refused { rd: Option<String> },
}

/// Spends a ticket at `host`, for the browser whose flow cookie is `flow`.
///
/// # Errors
/// The database failed.
pub async fn spend(
    app: &App,
    host: &Host,
    ticket: Option<&Token>,
    flow: Option<&Token>,
) -> Result<Spent, Error> {
    let Some(ticket) = ticket else {
        return Ok(Spent::Refused { rd: None });
    };
    // Anyone may come with a made-up one: it must not take the writer's turn.
    if !store::is_ticket(app.db.reader(), &ticket.hash()).await? {
        return Ok(Spent::Refused { rd: None });
    }
    let now = app.clock.now();
    let mut tx = app.db.begin_for(ticket.hash().as_bytes()).await?;
    let Some(found) = store::take_ticket(&mut tx, &ticket.hash()).await? else {
        return Ok(Spent::Refused { rd: None });
    };
    let ours = found.host == host.to_string();
    let same_browser = flow.is_some_and(|flow| flow.hash().as_bytes() == found.flow_hash);
    let live = store::live_until(&mut tx, &found.token_hash, now).await?;
    let outcome = match live {
        Some(remembered) if ours && same_browser && now < found.expires_at => {
            let secret = Token::generate();
            store::insert_secret(&mut tx, &secret.hash(), &found.token_hash, &found.host, now)
                .await?;
            let max_age = remembered.map(|end| end.since(now));
            Spent::Entered {
                secret,
                rd: found.rd,
                max_age,
            }
        }
        _ => Spent::Refused {
            rd: ours.then_some(found.rd),
        },
    };
    // Right or wrong, the ticket is gone.
    tx.commit().await?;
    Ok(outcome)
}

/// Tickets a transaction, so that no other write waits long.
const BATCH: u32 = 500;

/// Removes tickets that nobody came with.
///
/// # Errors
/// The database failed; what is left is done the next time.
pub(super) async fn sweep(app: &App) -> Result<(), Error> {
    loop {
        let mut tx = app.db.begin().await?;
        let deleted = store::delete_old_tickets(&mut tx, app.clock.now(), BATCH).await?;
        tx.commit().await?;
        if deleted < u64::from(BATCH) {
            return Ok(());
        }
    }
}
