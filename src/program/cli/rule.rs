use clap::{Args, Subcommand};
use ipnet::IpNet;
use uuid::Uuid;

use super::{Done, output, site, with_app};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::settings::Effective;
use crate::sites::policy;
use crate::sites::rules::{Effect, PathPattern, Rule, Who, method, network};
use crate::sites::terms::Factors;

#[derive(Subcommand)]
pub enum Command {
    /// Adds a rule to a site; the first that matches wins
    #[command(
        after_help = "Example: vestibule rule add app.example.com --path '/admin/*' --who group:admins --allow"
    )]
    Add(Add),
    /// Lists the rules, in order
    #[command(after_help = "Example: vestibule rule list --site app.example.com")]
    List {
        /// Of this site only
        #[arg(long, value_name = "HOST")]
        site: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Removes a rule
    #[command(after_help = "Example: vestibule rule remove 01a20fa2-4735-76d8-8c61-04e427c8133d")]
    Remove { id: Uuid },
}

#[derive(Args)]
pub struct Add {
    /// The site's host, as `site list` shows it
    host: String,
    /// /exact, or /prefix/*, which includes /prefix
    #[arg(long, default_value = "/*", value_name = "PATH")]
    path: PathPattern,
    /// May be given more than once; GET includes HEAD. All if not given
    #[arg(long = "method", value_name = "METHOD", value_parser = method)]
    methods: Vec<String>,
    /// May be given more than once; from everywhere if not given
    #[arg(long = "network", value_name = "CIDR", value_parser = network)]
    networks: Vec<IpNet>,
    /// anyone, signed-in, user:NAME or group:NAME
    #[arg(long)]
    who: Who,
    #[command(flatten)]
    effect: AllowOrDeny,
    /// How many factors whom it allows has to have proven: one or two
    #[arg(long, default_value = "one", value_name = "N")]
    factor: Factors,
    /// Its place among the site's rules, 1 for the first; the last if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    at: Option<u32>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct AllowOrDeny {
    #[arg(long)]
    allow: bool,
    #[arg(long)]
    deny: bool,
}

pub fn run(command: &Command, effective: Effective) -> Done {
    with_app(effective, async |app| match command {
        Command::Add(add) => add_rule(app, add).await,
        Command::List { site, json } => list(app, site.as_deref(), *json).await,
        Command::Remove { id } => {
            policy::remove_rule(app, &Actor::operator(), *id, None)
                .await?
                .map_err(|refused| refused.to_string())?;
            output::err(&format!("Removed {id}."));
            Ok(())
        }
    })
}

async fn add_rule(app: &App, add: &Add) -> Done {
    let policy = policy::current(app).await?;
    let site = site::find(app, &policy, &add.host)?;
    let rule = Rule {
        id: Uuid::now_v7(),
        path: add.path.clone(),
        methods: add.methods.clone(),
        networks: add.networks.clone(),
        who: add.who.clone(),
        effect: if add.effect.allow {
            Effect::Allow
        } else {
            Effect::Deny
        },
        factors: add.factor,
    };
    let rule = rule.checked()?;
    let added = policy::add_rule(app, &Actor::operator(), site.id, rule, add.at, None).await?;
    let rule = added.map_err(|refused| refused.to_string())?;
    output::err(&format!("Added to {}: {rule}.", site.host));
    Ok(())
}

#[derive(serde::Serialize)]
struct Shown {
    id: Uuid,
    site: String,
    place: usize,
    path: String,
    methods: Vec<String>,
    networks: Vec<IpNet>,
    who: String,
    effect: String,
    factor: String,
}

async fn list(app: &App, host: Option<&str>, json: bool) -> Done {
    let policy = policy::current(app).await?;
    let only = host
        .map(|host| site::find(app, &policy, host))
        .transpose()?
        .map(|site| site.id);
    let mut shown = Vec::new();
    for site in policy
        .sites
        .iter()
        .filter(|site| only.is_none_or(|only| only == site.id))
    {
        shown.extend(site.rules.iter().enumerate().map(|(index, rule)| Shown {
            id: rule.id,
            site: site.host.to_string(),
            place: index + 1,
            path: rule.path.to_string(),
            methods: rule.methods.clone(),
            networks: rule.networks.clone(),
            who: rule.who.to_string(),
            effect: rule.effect.to_string(),
            factor: rule.factors.to_string(),
        }));
    }
    if json {
        return output::json(&shown);
    }
    let words = |list: Vec<String>, none: &str| {
        if list.is_empty() {
            none.to_owned()
        } else {
            list.join(",")
        }
    };
    let rows: Vec<[String; 9]> = shown
        .into_iter()
        .map(|rule| {
            let networks = rule.networks.iter().map(ToString::to_string).collect();
            [
                rule.site,
                rule.place.to_string(),
                rule.effect,
                rule.path,
                words(rule.methods, "all"),
                words(networks, "everywhere"),
                rule.who,
                rule.factor,
                rule.id.to_string(),
            ]
        })
        .collect();
    output::table(
        [
            "SITE", "AT", "EFFECT", "PATH", "METHODS", "NETWORKS", "WHO", "FACTORS", "ID",
        ],
        &rows,
        "There are no rules; each site's default holds.",
    )
}
