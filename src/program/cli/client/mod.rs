mod shown;
mod wanted;

use std::io::IsTerminal as _;

use clap::Subcommand;

use self::shown::{list, show};
use self::wanted::{Known, Wanted};
use super::{Done, Fault, icon, output, with_app};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::settings::Effective;
use crate::launcher::Owner;
use crate::oidc::clients::{self, Client};
use crate::oidc::issuer;
use crate::oidc::templates::Template;

#[derive(Subcommand)]
pub enum Command {
    /// Adds an application that signs people in through Vestibule; prints its secret once
    #[command(
        after_help = "Example: vestibule client add Grafana --redirect-uri https://grafana.example.com/login/generic_oauth\nExample: vestibule client add 'My tool' --public --redirect-uri http://127.0.0.1/callback\nExample: vestibule client add Immich --template immich --url https://photos.example.com"
    )]
    Add {
        /// What people call the application
        name: String,
        #[command(flatten)]
        wanted: Box<Wanted>,
        #[command(flatten)]
        known: Known,
        /// It can keep no secret, as a program on somebody's machine
        #[arg(long, conflicts_with = "template")]
        public: bool,
        /// Prints client_id and client_secret as JSON, with a template settings too
        #[arg(long)]
        json: bool,
    },
    /// Lists the applications
    #[command(after_help = "Example: vestibule client list --json")]
    List {
        #[arg(long)]
        json: bool,
    },
    /// Shows an application
    #[command(after_help = "Example: vestibule client show Grafana")]
    Show {
        /// Its name or client_id
        name: String,
        #[arg(long)]
        json: bool,
    },
    /// Changes an application; addresses and groups that are given replace all of their kind, and '' takes all away
    #[command(
        after_help = "Example: vestibule client set Grafana --group staff --factor two\nExample: vestibule client set Vaultwarden --claim 'roles=[\"admin\"]@staff'"
    )]
    Set {
        /// Its name or client_id
        name: String,
        #[command(flatten)]
        wanted: Box<Wanted>,
        #[command(flatten)]
        known: Known,
        /// What people call it from now on
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        /// It can keep no secret: the one it has is over
        #[arg(long, conflicts_with = "template")]
        public: bool,
    },
    /// Gives an application a new secret, and prints it once
    #[command(after_help = "Example: vestibule client rotate-secret Grafana")]
    RotateSecret {
        /// Its name or client_id
        name: String,
        #[arg(long)]
        json: bool,
    },
    /// Removes an application with all that it was given
    #[command(after_help = "Example: vestibule client remove Grafana")]
    Remove {
        /// Its name or client_id
        name: String,
    },
}

pub fn run(command: &Command, effective: Effective) -> Done {
    with_app(effective, async |app| match command {
        Command::Add {
            name,
            wanted,
            known,
            public,
            json,
        } => {
            add(
                app,
                &Addition {
                    name,
                    wanted,
                    known,
                    public: *public,
                    json: *json,
                },
            )
            .await
        }
        Command::List { json } => list(app, *json).await,
        Command::Show { name, json } => show(app, &find(app, name).await?, *json),
        Command::Set {
            name,
            wanted,
            known,
            rename,
            public,
        } => {
            let icon = icon::Wanted::read(wanted.icon.as_deref())?;
            let mut client = find(app, name).await?;
            let placed = known.placed(&wanted.redirect_uri)?;
            if let Some((template, base)) = &placed {
                template.apply(&mut client, base);
            }
            wanted.apply(&mut client, placed.is_some(), app.clock.now());
            client.name = rename.clone().unwrap_or(client.name);
            client.secret_hash = client.secret_hash.filter(|_| !public);
            let changed = clients::change(app, &Actor::operator(), &client).await?;
            changed.map_err(|refused| refused.to_string())?;
            let owner = Owner::Client(client.id.clone());
            icon.put(app, &owner, &client.name).await?;
            output::err(&format!("Changed {}.", client.name));
            if let Some((template, base)) = &placed {
                say_settings(app, template, base, &client, SECRET);
            }
            Ok(())
        }
        Command::RotateSecret { name, json } => rotate_secret(app, name, *json).await,
        Command::Remove { name } => {
            let client = find(app, name).await?;
            clients::remove(app, &Actor::operator(), &client).await?;
            output::err(&format!("Removed {}.", client.name));
            Ok(())
        }
    })
}

pub(super) async fn find(app: &App, name: &str) -> Result<Client, Fault> {
    let found = clients::find(app, name).await?;
    found.ok_or_else(|| {
        format!("there is no application {name}; `vestibule client list` shows all").into()
    })
}

/// What is added.
struct Addition<'a> {
    name: &'a str,
    wanted: &'a Wanted,
    known: &'a Known,
    public: bool,
    json: bool,
}

async fn add(app: &App, addition: &Addition<'_>) -> Done {
    let name = addition.name;
    let icon = icon::Wanted::read(addition.wanted.icon.as_deref())?;
    let mut client = Client::new(name, Vec::new());
    let placed = addition.known.placed(&addition.wanted.redirect_uri)?;
    if let Some((template, base)) = &placed {
        template.apply(&mut client, base);
    }
    addition
        .wanted
        .apply(&mut client, placed.is_some(), app.clock.now());
    if let Some(refused) = clients::check(app, &client) {
        return Err(refused.to_string().into());
    }
    if clients::find(app, name).await?.is_some() {
        return Err(clients::Refused::Taken.to_string().into());
    }
    let secret = (!addition.public)
        .then(clients::new_secret)
        .map(|token| token.reveal());
    client.secret_hash = secret.as_deref().map(clients::hash_of_secret);
    let filled = secret.as_deref().zip(placed.as_ref());
    let filled = filled
        .map(|(secret, (template, base))| template.settings_for(app, base, &client.id, secret));
    hand_over(&client, secret.as_deref(), addition.json, filled)?;
    let added = clients::add(app, &Actor::operator(), &client).await?;
    added.map_err(|refused| refused.to_string())?;
    let owner = Owner::Client(client.id.clone());
    icon.put(app, &owner, name).await?;
    output::err(&format!(
        "Added {name}: client_id {}, issuer {}. The secret is not shown again.",
        client.id,
        issuer(app)
    ));
    // What is redirected to a file may be a log.
    let is_for_eyes = std::io::stderr().is_terminal();
    let shown = secret.as_deref().filter(|_| is_for_eyes);
    if let Some((template, base)) = &placed {
        say_settings(app, template, base, &client, shown.unwrap_or(SECRET));
    }
    Ok(())
}

/// The application's own settings, and what people stumble over.
fn say_settings(app: &App, template: &Template, base: &str, client: &Client, secret: &str) {
    let text = template.settings_for(app, base, &client.id, secret);
    let (place, note) = (template.place, template.note);
    output::err(&format!("\n{place}:\n\n{text}\n\n{note}"));
}

/// Stands for the secret where it must not.
const SECRET: &str = "THE_SECRET";

async fn rotate_secret(app: &App, name: &str, json: bool) -> Done {
    let mut client = find(app, name).await?;
    if client.is_public() {
        return Err(format!("{} is public and has no secret", client.name).into());
    }
    let secret = clients::new_secret().reveal();
    client.secret_hash = Some(clients::hash_of_secret(&secret));
    hand_over(&client, Some(&secret), json, None)?;
    let changed = clients::change(app, &Actor::operator(), &client).await?;
    changed.map_err(|refused| refused.to_string())?;
    output::err(&format!(
        "{} has a new secret; the old one is over.",
        client.name
    ));
    Ok(())
}

/// Told before the change that puts it in force. Of a public client there is the id alone.
fn hand_over(client: &Client, secret: Option<&str>, json: bool, settings: Option<String>) -> Done {
    if json {
        let mut told = serde_json::json!({ "client_id": client.id, "client_secret": secret });
        if let Some(settings) = settings {
            told["settings"] = settings.into();
        }
        return output::hand_over(&serde_json::to_string_pretty(&told)?);
    }
    output::hand_over(secret.unwrap_or(&client.id))
}
