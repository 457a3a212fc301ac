use clap::Subcommand;

use super::{Done, output, with_app, zone};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::secrets::{self, Forgotten, Rotated};
use crate::foundation::settings::Effective;
use crate::oidc;

#[derive(Subcommand)]
pub enum Command {
    /// Seals all secrets with a new key; the old one stays in the file for backups
    #[command(
        after_help = "Example: vestibule key rotate\n\nWith several nodes: the first run puts the new key into this node's file. Copy the file to the others, and run it again."
    )]
    Rotate {
        /// The keys instead that id_tokens are signed with: new ones sign in two days, when applications have seen them
        #[arg(long)]
        signing: bool,
        /// They sign from now on, for the old ones are in wrong hands
        #[arg(long, requires = "signing")]
        now: bool,
    },
    /// Takes an old key out of the key file
    #[command(after_help = "Example: vestibule key forget 1a2b3c4d")]
    Forget {
        /// As `key rotate`, or the refused start, named it
        id: String,
        /// It is lost for good: its secrets cannot be read any more, and the next start makes another key. Users whose
        /// authenticator app was sealed with it sign in with a recovery code, or have their second factors removed
        #[arg(long)]
        lost: bool,
    },
}

pub fn run(command: &Command, effective: Effective) -> Done {
    with_app(effective, async |app| match command {
        Command::Rotate { signing: true, now } => rotate_signing(app, *now).await,
        Command::Rotate { .. } => rotate(app).await,
        Command::Forget { id, lost: false } => forget(app, id).await,
        Command::Forget { id, lost: true } => give_up(app, id).await,
    })
}

async fn rotate_signing(app: &App, now: bool) -> Done {
    let from = oidc::keys::rotate(app, &Actor::operator(), now).await?;
    output::err(&format!(
        "Made new keys for id_tokens; they sign from {}.",
        zone::local(from)
    ));
    Ok(())
}

async fn rotate(app: &App) -> Done {
    match secrets::rotate(app, &Actor::operator()).await? {
        Rotated::Done { new, old, secrets } => {
            output::err(&format!(
                "Sealed {secrets} secrets with the key {new}. The old key {old} stays in the file, for backups from before; \
                 copy the file to where you keep it, and once no such backup is left: vestibule key forget {old}"
            ));
            Ok(())
        }
        Rotated::Waiting { new, nodes } => Err(format!(
            "the key {new} is in the key file of this node, and nothing is sealed with it yet, for these nodes do not have \
             it: {}; copy the file to them, wait five seconds, and run this again",
            nodes.join(", ")
        )
        .into()),
        Rotated::TooMany => {
            Err("the key file has 80 keys; forget some that no backup needs: vestibule key forget ID".into())
        }
        Rotated::NoNewKey => Err(
            "VESTIBULE_SECRETS__KEY has no new key first; put one on a line before the others, restart, and run this again"
                .into(),
        ),
    }
}

async fn give_up(app: &App, id: &str) -> Done {
    match secrets::give_up(app, &Actor::operator(), id).await? {
        Forgotten::Done { .. } => {
            output::err(&format!(
                "Gave up the key {id}. Take what is left of the key file away; the next start makes another one. Secrets of \
                 authenticator apps are lost: `vestibule user reset-factors NAME` lets a user set one up anew."
            ));
            Ok(())
        }
        _ => Err(format!("nothing is sealed with a key {id}").into()),
    }
}

async fn forget(app: &App, id: &str) -> Done {
    match secrets::forget(app, &Actor::operator(), id).await? {
        Forgotten::Done { retired_at } => {
            output::err(&format!(
                "Forgot the key {id}. The secrets in backups from before {} open with no key that is left.",
                zone::local(retired_at)
            ));
            Ok(())
        }
        Forgotten::Unknown => Err(format!("there is no key {id} in the key file").into()),
        Forgotten::InUse => Err(format!(
            "secrets are sealed with the key {id}; seal them with another first: vestibule key rotate"
        )
        .into()),
    }
}
