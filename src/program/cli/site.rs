use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Done, Fault, icon, output, with_app};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::settings::Effective;
use crate::launcher::Owner;
use crate::sites::host::Pattern;
use crate::sites::policy::{self, Policy};
use crate::sites::rules::{Fallback, Malformed, Site};
use crate::sites::terms::{Factors, Terms, limit, limit_text, switch, switch_text};

#[derive(Subcommand)]
pub enum Command {
    /// Adds a protected site
    #[command(
        after_help = "Example: vestibule site add app.example.com --default signed-in\nExample: vestibule site add '*.example.com' --default group:family"
    )]
    Add {
        /// A host, or *.example.com for all hosts one level below
        host: String,
        #[command(flatten)]
        changes: Changes,
    },
    /// Changes what holds for a site as a whole
    #[command(
        after_help = "Example: vestibule site set bank.example.com --factor two --idle 15m\nExample: vestibule site set dav.example.com --tokens on"
    )]
    Set {
        /// The site's host, as `site list` shows it
        host: String,
        #[command(flatten)]
        changes: Changes,
    },
    /// Lists the protected sites
    #[command(after_help = "Example: vestibule site list --json")]
    List {
        #[arg(long)]
        json: bool,
    },
    /// Removes a site with its rules; its host is denied from then on
    #[command(after_help = "Example: vestibule site remove app.example.com")]
    Remove { host: String },
}

/// What is not given stays as it is; for a new site: signed-in, one factor, no tokens, no limits.
#[derive(Args)]
pub struct Changes {
    /// What holds where no rule does: deny, signed-in, public or group:NAME; signed-in for a new site
    #[arg(long, value_name = "DEFAULT")]
    default: Option<Fallback>,
    /// What people call it on their start page; its host if empty
    #[arg(long)]
    name: Option<String>,
    /// A PNG, WebP or JPEG for the start page: at most 64 KiB and 512 pixels each way; '' takes it away
    #[arg(long, value_name = "FILE")]
    icon: Option<String>,
    #[arg(long)]
    note: Option<String>,
    /// How many factors whoever has to be signed in has to have proven: one or two
    #[arg(long, value_name = "N")]
    factor: Option<Factors>,
    /// Whether programs may come with app tokens: on or off
    #[arg(long, value_name = "on|off", value_parser = switch)]
    tokens: Option<bool>,
    /// Whoever did not use the site for so long proves again who that is: like 15m, or off
    #[arg(long, value_name = "D", value_parser = a_limit)]
    idle: Option<Limit>,
    /// The same, so long after the last proof: like 12h, or off
    #[arg(long, value_name = "D", value_parser = a_limit)]
    max_age: Option<Limit>,
    /// Whether requests that a page makes by itself count as use: on or off
    #[arg(long, value_name = "on|off", value_parser = switch)]
    background: Option<bool>,
}

/// In a type of its own, for an option of an option is another thing to clap.
#[derive(Clone, Copy)]
struct Limit(Option<Duration>);

fn a_limit(text: &str) -> Result<Limit, Malformed> {
    limit(text).map(Limit)
}

impl Changes {
    fn of(&self, terms: Terms) -> Terms {
        Terms {
            fallback: self.default.clone().unwrap_or(terms.fallback),
            name: self.name.clone().unwrap_or(terms.name),
            note: self.note.clone().unwrap_or(terms.note),
            factors: self.factor.unwrap_or(terms.factors),
            tokens: self.tokens.unwrap_or(terms.tokens),
            idle: self.idle.map_or(terms.idle, |limit| limit.0),
            max_age: self.max_age.map_or(terms.max_age, |limit| limit.0),
            background: self.background.unwrap_or(terms.background),
        }
    }
}

pub fn run(command: &Command, effective: Effective) -> Done {
    with_app(effective, async |app| match command {
        Command::Add { host, changes } => {
            let icon = icon::Wanted::read(changes.icon.as_deref())?;
            let terms = changes.of(Fallback::SignedIn.into());
            let added = policy::add_site(app, &Actor::operator(), host, terms).await?;
            let site = added.map_err(|refused| refused.to_string())?;
            let name = site.host.to_string();
            icon.put(app, &Owner::Site(site.id), &name).await?;
            output::err(&format!("Added {} (default {}).", site.host, site.terms));
            Ok(())
        }
        Command::Set { host, changes } => set(app, host, changes).await,
        Command::List { json } => list(app, *json).await,
        Command::Remove { host } => {
            let policy = policy::current(app).await?;
            let site = find(app, &policy, host)?;
            policy::remove_site(app, &Actor::operator(), site.id)
                .await?
                .map_err(|refused| refused.to_string())?;
            output::err(&format!("Removed {}.", site.host));
            Ok(())
        }
    })
}

async fn set(app: &App, host: &str, changes: &Changes) -> Done {
    let icon = icon::Wanted::read(changes.icon.as_deref())?;
    let policy = policy::current(app).await?;
    let site = find(app, &policy, host)?;
    let terms = changes.of(site.terms.clone());
    policy::change_site(app, &Actor::operator(), site.id, terms.clone(), None)
        .await?
        .map_err(|refused| refused.to_string())?;
    let owner = Owner::Site(site.id);
    icon.put(app, &owner, &site.host.to_string()).await?;
    output::err(&format!("Changed {} (default {terms}).", site.host));
    Ok(())
}

/// The site that is known by `host`.
pub(super) fn find<'p>(app: &App, policy: &'p Policy, host: &str) -> Result<&'p Site, Fault> {
    let pattern = Pattern::parse(host, app.settings.url().scheme());
    let site = policy
        .sites
        .iter()
        .find(|site| Some(&site.host) == pattern.as_ref());
    site.ok_or_else(|| format!("there is no site {host}; `vestibule site list` shows all").into())
}

#[derive(serde::Serialize)]
struct Shown {
    id: uuid::Uuid,
    host: String,
    default: String,
    name: String,
    note: String,
    rules: usize,
    factor: String,
    tokens: &'static str,
    idle: String,
    max_age: String,
    background: &'static str,
}

impl From<&Site> for Shown {
    fn from(site: &Site) -> Self {
        let terms = &site.terms;
        Self {
            id: site.id,
            host: site.host.to_string(),
            default: terms.fallback.to_string(),
            name: terms.name.clone(),
            note: terms.note.clone(),
            rules: site.rules.len(),
            factor: terms.factors.to_string(),
            tokens: switch_text(terms.tokens),
            idle: limit_text(terms.idle),
            max_age: limit_text(terms.max_age),
            background: switch_text(terms.background),
        }
    }
}

async fn list(app: &App, json: bool) -> Done {
    let policy = policy::current(app).await?;
    let shown: Vec<Shown> = policy.sites.iter().map(Shown::from).collect();
    if json {
        return output::json(&shown);
    }
    let sites = policy.sites.iter();
    let rows: Vec<[String; 4]> = sites
        .map(|site| {
            [
                site.host.to_string(),
                site.terms.to_string(),
                site.rules.len().to_string(),
                site.terms.note.clone(),
            ]
        })
        .collect();
    output::table(
        ["HOST", "DEFAULT", "RULES", "NOTE"],
        &rows,
        "There are no sites yet; `vestibule site add HOST` adds one.",
    )
}
