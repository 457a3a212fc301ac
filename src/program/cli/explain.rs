use std::net::IpAddr;

use clap::Args;

use super::user::find;
use super::{Done, output, with_app};
use crate::foundation::app::App;
use crate::foundation::settings::Effective;
use crate::sites::explain::explain;
use crate::sites::terms::Factors;
use crate::sites::visitor::Visitor;
use crate::sites::{OriginalRequest, rules};

#[derive(Args)]
#[command(
    after_help = "Example: vestibule explain https://app.example.com/admin/ --user alice --method POST --from 10.0.0.7"
)]
pub struct Explain {
    /// The address that is asked for
    url: String,
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
    with_app(effective, async |app| show(app, command).await)
}

async fn show(app: &App, command: &Explain) -> Done {
    let request = OriginalRequest::of_url(app, &command.url, &command.method, command.from)
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
