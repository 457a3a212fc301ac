use clap::{Args, Subcommand};

use super::{Done, Fault, output, with_app};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::settings::Effective;
use crate::oidc::clients::{self, Alg, AuthMethod, Client, Consent};
use crate::oidc::issuer;

#[derive(Subcommand)]
pub enum Command {
    /// Adds an application that signs people in through Vestibule; prints its secret once
    #[command(
        after_help = "Example: vestibule client add Grafana --redirect-uri https://grafana.example.com/login/generic_oauth\nExample: vestibule client add 'My tool' --public --redirect-uri http://127.0.0.1/callback"
    )]
    Add {
        /// What people call the application
        name: String,
        #[command(flatten)]
        wanted: Box<Wanted>,
        /// It can keep no secret, as a program on somebody's machine
        #[arg(long)]
        public: bool,
        /// Prints client_id and client_secret as JSON
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
    /// Changes an application; addresses and groups that are given replace all of their kind
    #[command(after_help = "Example: vestibule client set Grafana --group staff --factor two")]
    Set {
        /// Its name or client_id
        name: String,
        #[command(flatten)]
        wanted: Box<Wanted>,
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

/// What can be said of a client.
#[derive(Args)]
pub struct Wanted {
    /// Where people come back to, exactly as the application sends it; may be given several times
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
    /// Where people may go on to after they signed out
    #[arg(long, value_name = "URI")]
    post_logout_uri: Vec<String>,
    /// Where the application is told of the end of a session
    #[arg(long, value_name = "URI")]
    back_channel_uri: Option<String>,
    /// It may go on when the session has ended
    #[arg(long)]
    offline_access: bool,
    /// It does not send a challenge (PKCE)
    #[arg(long)]
    no_pkce: bool,
    /// When people are asked: always, once or never
    #[arg(long, value_name = "WHEN")]
    consent: Option<Consent>,
    /// one or two
    #[arg(long, value_name = "FACTORS", value_parser = ["one", "two"])]
    factor: Option<String>,
    /// Takes its secret in this way alone: basic or post
    #[arg(long, value_name = "METHOD", value_parser = ["basic", "post"])]
    auth: Option<String>,
    /// What id_tokens are signed with: RS256 or ES256
    #[arg(long, value_name = "ALG")]
    alg: Option<Alg>,
    /// Where the claims of a user are: userinfo, or both there and in the id_token
    #[arg(long, value_name = "WHERE", value_parser = ["userinfo", "both"])]
    claims_in: Option<String>,
    /// Lets only members of this group in; may be given several times
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
}

impl Wanted {
    fn apply(&self, client: &mut Client) {
        let replace = |list: &mut Vec<String>, given: &Vec<String>| {
            if !given.is_empty() {
                list.clone_from(given);
            }
        };
        replace(&mut client.redirect_uris, &self.redirect_uri);
        replace(&mut client.sign_out_uris, &self.post_logout_uri);
        replace(&mut client.groups, &self.group);
        if let Some(uri) = &self.back_channel_uri {
            client.back_channel_uri = Some(uri.clone()).filter(|uri| !uri.is_empty());
        }
        client.offline_access |= self.offline_access;
        client.pkce &= !self.no_pkce;
        client.consent = self.consent.unwrap_or(client.consent);
        client.alg = self.alg.unwrap_or(client.alg);
        if let Some(factor) = &self.factor {
            client.two_factors = factor == "two";
        }
        if let Some(auth) = &self.auth {
            client.auth_method = AuthMethod::parse(auth);
        }
        if let Some(claims_in) = &self.claims_in {
            client.claims_in_id_token = claims_in == "both";
        }
    }
}

pub fn run(command: &Command, effective: Effective) -> Done {
    with_app(effective, async |app| match command {
        Command::Add {
            name,
            wanted,
            public,
            json,
        } => add(app, name, wanted, *public, *json).await,
        Command::List { json } => list(app, *json).await,
        Command::Show { name, json } => show(app, &find(app, name).await?, *json),
        Command::Set { name, wanted } => {
            let mut client = find(app, name).await?;
            wanted.apply(&mut client);
            let changed = clients::change(app, &Actor::operator(), &client).await?;
            changed.map_err(|refused| refused.to_string())?;
            output::err(&format!("Changed {}.", client.name));
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

async fn find(app: &App, name: &str) -> Result<Client, Fault> {
    let found = clients::find(app, name).await?;
    found.ok_or_else(|| {
        format!("there is no application {name}; `vestibule client list` shows all").into()
    })
}

async fn add(app: &App, name: &str, wanted: &Wanted, public: bool, json: bool) -> Done {
    let mut client = Client::new(name, Vec::new());
    wanted.apply(&mut client);
    if let Some(refused) = clients::check(app, &client) {
        return Err(refused.to_string().into());
    }
    if clients::find(app, name).await?.is_some() {
        return Err(clients::Refused::Taken.to_string().into());
    }
    let secret = (!public)
        .then(clients::new_secret)
        .map(|token| token.reveal());
    client.secret_hash = secret.as_deref().map(clients::hash_of_secret);
    hand_over(&client, secret.as_deref(), json)?;
    let added = clients::add(app, &Actor::operator(), &client).await?;
    added.map_err(|refused| refused.to_string())?;
    output::err(&format!(
        "Added {name}: client_id {}, issuer {}. The secret is not shown again.",
        client.id,
        issuer(app)
    ));
    Ok(())
}

async fn rotate_secret(app: &App, name: &str, json: bool) -> Done {
    let mut client = find(app, name).await?;
    if client.is_public() {
        return Err(format!("{} is public and has no secret", client.name).into());
    }
    let secret = clients::new_secret().reveal();
    client.secret_hash = Some(clients::hash_of_secret(&secret));
    hand_over(&client, Some(&secret), json)?;
    let changed = clients::change(app, &Actor::operator(), &client).await?;
    changed.map_err(|refused| refused.to_string())?;
    output::err(&format!(
        "{} has a new secret; the old one is over.",
        client.name
    ));
    Ok(())
}

/// Told before the change that puts it in force. Of a public client there is the id alone.
fn hand_over(client: &Client, secret: Option<&str>, json: bool) -> Done {
    if json {
        let told = serde_json::json!({ "client_id": client.id, "client_secret": secret });
        return output::hand_over(&serde_json::to_string_pretty(&told)?);
    }
    output::hand_over(secret.unwrap_or(&client.id))
}

#[derive(serde::Serialize)]
struct Shown<'a> {
    client_id: &'a str,
    name: &'a str,
    public: bool,
    redirect_uris: &'a [String],
    post_logout_uris: &'a [String],
    back_channel_uri: Option<&'a str>,
    groups: &'a [String],
    consent: &'static str,
    factor: &'static str,
    pkce: bool,
    offline_access: bool,
    auth: Option<&'static str>,
    alg: &'static str,
    claims_in: &'static str,
}

impl<'a> Shown<'a> {
    fn of(client: &'a Client) -> Self {
        Self {
            client_id: &client.id,
            name: &client.name,
            public: client.is_public(),
            redirect_uris: &client.redirect_uris,
            post_logout_uris: &client.sign_out_uris,
            back_channel_uri: client.back_channel_uri.as_deref(),
            groups: &client.groups,
            consent: client.consent.as_str(),
            factor: if client.two_factors { "two" } else { "one" },
            pkce: client.pkce,
            offline_access: client.offline_access,
            auth: client.auth_method.map(AuthMethod::as_str),
            alg: client.alg.as_str(),
            claims_in: if client.claims_in_id_token {
                "both"
            } else {
                "userinfo"
            },
        }
    }
}

async fn list(app: &App, json: bool) -> Done {
    let all = clients::list(app).await?;
    if json {
        return output::json(&all.iter().map(Shown::of).collect::<Vec<_>>());
    }
    let rows: Vec<[String; 3]> = all
        .iter()
        .map(|client| {
            [
                client.name.clone(),
                client.id.clone(),
                client.redirect_uris.join(" "),
            ]
        })
        .collect();
    output::table(
        ["NAME", "CLIENT_ID", "COMES BACK TO"],
        &rows,
        "There are no applications yet; `vestibule client add NAME --redirect-uri URI` adds one.",
    )
}

fn show(app: &App, client: &Client, json: bool) -> Done {
    let shown = Shown::of(client);
    if json {
        return output::json(&shown);
    }
    let yes_no = |is: bool| if is { "yes" } else { "no" }.to_owned();
    output::fields(&[
        ("name", client.name.clone()),
        ("client_id", client.id.clone()),
        ("issuer", issuer(app)),
        ("redirect URIs", client.redirect_uris.join(" ")),
        ("post-logout URIs", client.sign_out_uris.join(" ")),
        (
            "back-channel URI",
            client.back_channel_uri.clone().unwrap_or_default(),
        ),
        ("groups", client.groups.join(" ")),
        ("consent", shown.consent.to_owned()),
        ("factor", shown.factor.to_owned()),
        ("public", yes_no(shown.public)),
        ("PKCE", yes_no(shown.pkce)),
        ("offline access", yes_no(shown.offline_access)),
        ("auth", shown.auth.unwrap_or("basic or post").to_owned()),
        ("alg", shown.alg.to_owned()),
        ("claims in", shown.claims_in.to_owned()),
    ])
}
