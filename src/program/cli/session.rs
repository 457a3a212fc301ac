use clap::{Args, Subcommand};
use uuid::Uuid;

use super::user::find;
use super::{Done, Fault, output, with_app, zone};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::settings::Effective;
use crate::sessions::listing::{self, Query, Sort, State};
use crate::sessions::{self, Found, Which};

#[derive(Subcommand)]
pub enum Command {
    /// Lists live sessions, newest first
    #[command(after_help = "Example: vestibule session list --user alice --all")]
    List {
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Ended ones too
        #[arg(long)]
        all: bool,
        #[arg(long)]
        json: bool,
    },
    /// Ends sessions: those with the ids, all of a user, or everyone's
    #[command(after_help = "Example: vestibule session revoke --user alice")]
    Revoke(Revoke),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Revoke {
    /// Ids as `session list` shows them
    #[arg(value_name = "ID")]
    ids: Vec<Uuid>,
    /// All sessions of this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// All sessions there are
    #[arg(long)]
    everyone: bool,
}

pub fn run(command: &Command, effective: Effective) -> Done {
    with_app(effective, async |app| match command {
        Command::List { user, all, json } => list(app, user.as_deref(), *all, *json).await,
        Command::Revoke(revoke) => revoke_these(app, revoke).await,
    })
}

async fn list(app: &App, user: Option<&str>, all: bool, json: bool) -> Done {
    let user_id = match user {
        Some(name) => Some(find(app, name).await?.id),
        None => None,
    };
    let sessions = all_pages(app, user_id, if all { State::All } else { State::Live }).await?;
    if json {
        return output::json(&sessions);
    }
    let rows: Vec<[String; 6]> = sessions.iter().map(row).collect();
    output::table(
        ["ID", "USER", "DEVICE", "ADDRESS", "LAST SEEN", "STATE"],
        &rows,
        "There are no such sessions.",
    )
}

async fn all_pages(app: &App, user_id: Option<Uuid>, state: State) -> Result<Vec<Found>, Fault> {
    let mut query = Query {
        q: String::new(),
        user_id,
        state,
        sort: Sort::Started,
        after: None,
        limit: listing::MAX_LIMIT,
    };
    let mut sessions = Vec::new();
    loop {
        let page = listing::page(app, &query).await?;
        sessions.extend(page.sessions);
        if page.next.is_none() {
            return Ok(sessions);
        }
        query.after = page.next;
    }
}

fn row(session: &Found) -> [String; 6] {
    let state = match (&session.ended_at, &session.end_reason) {
        (Some(at), Some(reason)) => format!(
            "{reason} {} by {}",
            zone::local(*at),
            session.ended_by.as_deref().unwrap_or("?")
        ),
        _ => format!("until {}", zone::local(session.expires_at)),
    };
    let user = if session.user_deleted {
        format!("{} (deleted)", session.username)
    } else {
        session.username.clone()
    };
    [
        session.id.to_string(),
        user,
        session.device.clone(),
        session.address.clone(),
        zone::local(session.last_seen_at),
        state,
    ]
}

async fn revoke_these(app: &App, revoke: &Revoke) -> Done {
    let actor = Actor::operator();
    let mut not_live = Vec::new();
    let mut ended = 0;
    for id in &revoke.ids {
        let revoked = sessions::revoke(app, &actor, Which::One { id: *id, of: None }).await?;
        ended += revoked as u64;
        if revoked == 0 {
            not_live.push(id.to_string());
        }
    }
    if let Some(name) = &revoke.user {
        let which = Which::AllOf {
            user_id: find(app, name).await?.id,
            keep: None,
        };
        ended += sessions::revoke(app, &actor, which).await? as u64;
    }
    if revoke.everyone {
        ended += sessions::revoke_everyone(app, &actor, None).await?;
    }
    output::err(&format!(
        "Ended {ended} {}.",
        if ended == 1 { "session" } else { "sessions" }
    ));
    if not_live.is_empty() {
        Ok(())
    } else {
        Err(format!("no live session has the id {}", not_live.join(", ")).into())
    }
}
