use std::time::Duration;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::user::find;
use super::{Done, output, with_app, zone};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::settings::Effective;
use crate::people::app_tokens::{self, AppToken, Secret};
use crate::sites::policy::{self, Policy};
use crate::sites::tokens::{Wish, hosts};

#[derive(Subcommand)]
pub enum Command {
    /// Makes an app token for a program of a user, and prints it; it never counts as two factors
    #[command(
        after_help = "Example: vestibule token add alice --name calendar --site dav.example.com --expires 90d"
    )]
    Add(Add),
    /// Lists app tokens that are not revoked
    #[command(after_help = "Example: vestibule token list --user alice --json")]
    List {
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Revokes app tokens, from the next request on
    #[command(after_help = "Example: vestibule token revoke 01a20fa2-4735-76d8-8c61-04e427c8133d")]
    Revoke {
        /// Ids as `token list` shows them
        #[arg(value_name = "ID", required = true)]
        ids: Vec<Uuid>,
    },
}

#[derive(Args)]
pub struct Add {
    /// Whose rights it has
    user: String,
    /// What the user knows it by
    #[arg(long)]
    name: String,
    #[command(flatten)]
    sites: Sites,
    /// May be given more than once; from everywhere if not given
    #[arg(long = "network", value_name = "CIDR")]
    networks: Vec<String>,
    /// How long it is good for, like 90d; without an end if not given
    #[arg(long, value_name = "D", value_parser = humantime::parse_duration)]
    expires: Option<Duration>,
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Sites {
    /// A site that it opens, as `site list` shows it; may be given more than once
    #[arg(long = "site", value_name = "HOST", num_args = 1..)]
    sites: Vec<String>,
    /// It opens all sites that take tokens
    #[arg(long)]
    all_sites: bool,
}

pub fn run(command: &Command, effective: Effective) -> Done {
    with_app(effective, async |app| match command {
        Command::Add(add) => add_token(app, add).await,
        Command::List { user, json } => list(app, user.as_deref(), *json).await,
        Command::Revoke { ids } => revoke(app, ids).await,
    })
}

async fn add_token(app: &App, add: &Add) -> Done {
    let user = find(app, &add.user).await?;
    let wish = Wish {
        name: add.name.clone(),
        sites: add.sites.sites.clone(),
        all_sites: add.sites.all_sites,
        networks: add.networks.clone(),
        lifetime: add.expires,
    };
    let (policy, now) = (policy::current(app).await?, app.clock.now());
    // Nobody has proven anything here.
    let two_factor = false;
    let new = wish
        .read(&policy, Uuid::now_v7(), two_factor, now)
        .map_err(|unreadable| unreadable.to_string())?;
    app_tokens::may_be_added(app, &user, &new)
        .await?
        .map_err(|refused| refused.to_string())?;
    let secret = Secret::generate();
    if add.json {
        let shown = serde_json::json!({ "id": new.id, "token": secret.reveal() });
        output::hand_over(&serde_json::to_string_pretty(&shown)?)?;
    } else {
        output::hand_over(secret.reveal())?;
    }
    let added = app_tokens::add(app, &Actor::operator(), &user.username, new, &secret).await?;
    let token = added.map_err(|refused| refused.to_string())?;
    output::err(&format!("Added {} of {}.", token.name, token.username));
    Ok(())
}

/// A token, and the hosts of its sites.
#[derive(serde::Serialize)]
struct Shown {
    #[serde(flatten)]
    token: AppToken,
    /// None: all.
    hosts: Option<Vec<String>>,
}

impl Shown {
    fn new(token: AppToken, policy: &Policy) -> Self {
        let hosts = token.sites.as_deref().map(|sites| hosts(policy, sites));
        Self { token, hosts }
    }

    fn row(&self) -> [String; 6] {
        let token = &self.token;
        let hosts = self.hosts.as_ref().map(|hosts| hosts.join(","));
        [
            token.id.to_string(),
            token.username.clone(),
            token.name.clone(),
            hosts.unwrap_or_else(|| "all sites".to_owned()),
            token.expires_at.map_or("never".to_owned(), zone::local),
            token.last_used_at.map_or("never".to_owned(), zone::local),
        ]
    }
}

async fn list(app: &App, user: Option<&str>, json: bool) -> Done {
    let tokens = match user {
        Some(name) => app_tokens::of_user(app.db.reader(), find(app, name).await?.id).await?,
        None => app_tokens::all(app.db.reader()).await?,
    };
    let policy = policy::current(app).await?;
    let tokens = tokens.into_iter();
    let shown: Vec<Shown> = tokens.map(|token| Shown::new(token, &policy)).collect();
    if json {
        return output::json(&shown);
    }
    let rows: Vec<[String; 6]> = shown.iter().map(Shown::row).collect();
    output::table(
        ["ID", "USER", "NAME", "SITES", "ENDS", "LAST USED"],
        &rows,
        "There are no app tokens.",
    )
}

async fn revoke(app: &App, ids: &[Uuid]) -> Done {
    let actor = Actor::operator();
    let mut unknown = Vec::new();
    for id in ids {
        if !app_tokens::revoke(app, &actor, *id, None).await? {
            unknown.push(id.to_string());
        }
    }
    let revoked = ids.len() - unknown.len();
    let tokens = if revoked == 1 { "token" } else { "tokens" };
    if revoked > 0 {
        output::err(&format!("Revoked {revoked} app {tokens}."));
    }
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "no app token that is not revoked has the id {}",
            unknown.join(", ")
        )
        .into())
    }
}
