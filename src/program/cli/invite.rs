use std::time::Duration;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::{Done, output, with_app, zone};
use crate::account::joining::{invite, link_to};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::settings::Effective;
use crate::foundation::token::Token;
use crate::people::invitations::{self, Invitation, NewInvitation};

#[derive(Args)]
pub struct Invite {
    /// For the new account; the invitation is mailed there as well, where mail is set up
    #[arg(long)]
    email: Option<String>,
    /// What the new users are in; may be given more than once
    #[arg(long = "group", value_name = "G")]
    groups: Vec<String>,
    /// How many accounts may be made by the link
    #[arg(long, value_name = "N", default_value_t = 1)]
    uses: i64,
    /// How long it is good for
    #[arg(long, value_name = "D", default_value = "7d", value_parser = humantime::parse_duration)]
    expires: Duration,
    /// Prints id and link as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Invitations {
    #[command(subcommand)]
    command: Option<Command>,
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the invitations that are good still
    #[command(after_help = "Example: vestibule invitations list --json")]
    List {
        #[arg(long)]
        json: bool,
    },
    /// Revokes an invitation with all its links
    #[command(
        after_help = "Example: vestibule invitations revoke 01a20fa2-4735-76d8-8c61-04e427c8133d"
    )]
    Revoke {
        /// As `invitations list` shows it
        id: Uuid,
    },
}

pub fn run(command: &Invite, effective: Effective) -> Done {
    with_app(effective, async |app| make(app, command).await)
}

pub fn run_list(invitations: &Invitations, effective: Effective) -> Done {
    with_app(effective, async |app| match &invitations.command {
        None => list(app, invitations.json).await,
        Some(Command::List { json }) => list(app, *json).await,
        Some(Command::Revoke { id }) => revoke(app, *id).await,
    })
}

async fn make(app: &App, wanted: &Invite) -> Done {
    let new = NewInvitation {
        id: Uuid::now_v7(),
        email: wanted.email.clone(),
        groups: wanted.groups.clone(),
        uses: wanted.uses,
        lifetime: wanted.expires,
    };
    let new = new.checked().map_err(|refused| refused.to_string())?;
    let token = Token::generate();
    let link = link_to(app, &token);
    if wanted.json {
        let shown = serde_json::json!({ "id": new.id, "link": link });
        output::hand_over(&serde_json::to_string_pretty(&shown)?)?;
    } else {
        output::hand_over(&link)?;
    }
    let made = invite(app, &Actor::operator(), None, new, &token).await?;
    let invitation = made.map_err(|refused| refused.to_string())?;
    let ends = zone::local(invitation.expires_at);
    output::err(&match &invitation.email {
        Some(address) if app.settings.mail.is_on() => {
            format!("A mail goes to {address} as well. The invitation ends {ends}.")
        }
        Some(address) => {
            format!(
                "No mail is set up: hand the link over to {address}. The invitation ends {ends}."
            )
        }
        None => format!("The invitation ends {ends}."),
    });
    Ok(())
}

async fn list(app: &App, json: bool) -> Done {
    let invitations = invitations::list(app).await?;
    if json {
        return output::json(&invitations);
    }
    let rows: Vec<[String; 6]> = invitations.iter().map(row).collect();
    output::table(
        ["ID", "FOR", "GROUPS", "ACCOUNTS LEFT", "MADE BY", "ENDS"],
        &rows,
        "There are no invitations.",
    )
}

fn row(invitation: &Invitation) -> [String; 6] {
    [
        invitation.id.to_string(),
        invitation
            .email
            .clone()
            .unwrap_or_else(|| "anybody".to_owned()),
        invitation.groups.join(","),
        invitation.uses_left.to_string(),
        invitation.created_by.clone(),
        zone::local(invitation.expires_at),
    ]
}

async fn revoke(app: &App, id: Uuid) -> Done {
    if !invitations::revoke(app, &Actor::operator(), id).await? {
        return Err(format!("no invitation that is good has the id {id}").into());
    }
    output::err("Revoked the invitation.");
    Ok(())
}
