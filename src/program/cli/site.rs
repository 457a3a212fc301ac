use clap::Subcommand;

use super::{Done, Fault, output, with_app};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::settings::Effective;
use crate::sites::host::Pattern;
use crate::sites::policy::{self, Policy};
use crate::sites::rules::{Fallback, Site};

#[derive(Subcommand)]
pub enum Command {
    /// Adds a protected site
    #[command(
        after_help = "Example: vestibule site add app.example.com --default signed-in\nExample: vestibule site add '*.example.com' --default group:family"
    )]
    Add {
        /// A host, or *.example.com for all hosts one level below
        host: String,
        /// What holds where no rule does: deny, signed-in, public or group:NAME
        #[arg(long, default_value = "signed-in", value_name = "DEFAULT")]
        default: Fallback,
        #[arg(long, default_value = "")]
        note: String,
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

pub fn run(command: &Command, effective: Effective) -> Done {
    with_app(effective, async |app| match command {
        Command::Add {
            host,
            default,
            note,
        } => {
            let added =
                policy::add_site(app, &Actor::operator(), host, default.clone(), note).await?;
            let site = added.map_err(|refused| refused.to_string())?;
            output::err(&format!("Added {} (default {}).", site.host, site.fallback));
            Ok(())
        }
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
    note: String,
    rules: usize,
}

async fn list(app: &App, json: bool) -> Done {
    let policy = policy::current(app).await?;
    let shown = policy.sites.iter().map(|site| Shown {
        id: site.id,
        host: site.host.to_string(),
        default: site.fallback.to_string(),
        note: site.note.clone(),
        rules: site.rules.len(),
    });
    if json {
        return output::json(&shown.collect::<Vec<_>>());
    }
    let rows: Vec<[String; 4]> = shown
        .map(|site| [site.host, site.default, site.rules.to_string(), site.note])
        .collect();
    output::table(
        ["HOST", "DEFAULT", "RULES", "NOTE"],
        &rows,
        "There are no sites yet; `vestibule site add HOST` adds one.",
    )
}
