use std::net::IpAddr;

use clap::Args;

use super::user::find;
use super::{Done, client, output, with_app};
use crate::foundation::app::App;
use crate::foundation::settings::Effective;
use crate::oidc::{self, explain::USUAL_SCOPE};
use crate::sites::explain::explain;
use crate::sites::terms::Factors;
use crate::sites::visitor::Visitor;
use crate::sites::{OriginalRequest, rules};

#[derive(Args)]
#[command(
    after_help = "Example: vestibule explain https://app.example.com/admin/ --user alice --method POST --from 10.0.0.7\nExample: vestibule explain --client Grafana --user alice"
)]
pub struct Explain {
    /// The address that is asked for
    #[arg(required_unless_present = "client", conflicts_with = "client")]
    url: Option<String>,
    /// Whether the user may enter this application, by its name or client_id, and what it would be told
    #[arg(long, value_name = "NAME", requires = "user", conflicts_with_all = ["method", "from"])]
    client: Option<String>,
    /// What the application asks for
    #[arg(long, value_name = "SCOPE", requires = "client", default_value = USUAL_SCOPE)]
    scope: String,
    /// Signed in as this user; nobody if not given
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How many factors were proven: one or two; as many as the user has if not given
    #[arg(long, value_name = "N", requires = "user")]
    factor: Option<Factors>,
    #[arg(long, default_value = "GET", value_parser = rules::method)]
    method: String,
    /// Where the request comes from; not known if not given
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    #[arg(long)]
    json: bool,
}

pub fn run(command: &Explain, effective: Effective) -> Done {
    with_app(effective, async |app| {
        match (&command.url, &command.client) {
            (Some(url), _) => show(app, command, url).await,
            (None, Some(client)) => show_client(app, command, client).await,
            (None, None) => Ok(()),
        }
    })
}

async fn show_client(app: &App, command: &Explain, name: &str) -> Done {
    let client = client::find(app, name).await?;
    let user = find(app, command.user.as_deref().unwrap_or_default()).await?;
    let two_factors = command.factor.map(|factor| factor == Factors::Two);
    let told = oidc::explain::explain(app, &client, &user, two_factors, &command.scope).await?;
    if command.json {
        return output::json(&told);
    }
    output::say(&format!(
        "{} to {}: {}",
        user.username, client.name, told.decision
    ))?;
    output::say(&format!("Because {}.", told.because))?;
    for (what, claims) in [("id_token", &told.id_token), ("userinfo", &told.userinfo)] {
        for (name, value) in claims {
            output::say(&format!("  {what} {name}: {value}"))?;
        }
    }
    Ok(())
}

async fn show(app: &App, command: &Explain, url: &str) -> Done {
    let request = OriginalRequest::of_url(app, url, &command.method, command.from)
        .map_err(|malformed| malformed.to_string())?;
    let user = match &command.user {
        Some(name) => Some(find(app, name).await?),
        None => None,
    };
    let visitor = user.map(|user| Visitor::supposed(user, command.factor));
    let explanation = explain(app, &request, visitor.as_ref()).await?;
    if command.json {
        return output::json(&explanation);
    }
    let who = visitor.as_ref().map_or("nobody in particular", |visitor| {
        visitor.user.username.as_str()
    });
    output::say(&format!(
        "{} {} for {who}: {}",
        request.method,
        request.url(),
        explanation.decision
    ))?;
    if let Some(site) = &explanation.site {
        output::say(&format!(
            "Site {site}; the path is judged as {}",
            explanation.path
        ))?;
    }
    for (index, step) in explanation.steps.iter().enumerate() {
        output::say(&format!("  {}. {}: {}", index + 1, step.rule, step.says))?;
    }
    output::say(&format!("Because {}.", explanation.because))
}
