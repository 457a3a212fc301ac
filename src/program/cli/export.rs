use clap::Subcommand;

use super::import::Exported;
use super::{Done, output, with_app};
use crate::foundation::settings::Effective;
use crate::people::users;

#[derive(Subcommand)]
pub enum Command {
    /// Prints all users with the hashes of their passwords, one in JSON a line, for `import json`; second factors stay here
    #[command(after_help = "Example: vestibule export users > users.json")]
    Users,
}

pub fn run(command: &Command, effective: Effective) -> Done {
    let Command::Users = command;
    with_app(effective, async |app| {
        for (user, hash) in users::with_hashes(app).await? {
            output::say(&serde_json::to_string(&Exported::of(user, hash))?)?;
        }
        Ok(())
    })
}
