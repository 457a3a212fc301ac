use clap::Subcommand;

use super::import::Exported;
use super::{Done, output, with_app};
use crate::foundation::audit::{self, Actor, Event, Record};
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
        let users = users::with_hashes(app).await?;
        // Before they are told: whoever reads the trail knows who may have the hashes.
        let record =
            Record::anonymous(Event::UserExport).detail(output::counted(users.len(), "user"));
        let tx = app.db.begin().await?;
        audit::commit(tx, app.clock.now(), &Actor::operator(), &[record]).await?;
        for (user, hash) in users {
            output::say(&serde_json::to_string(&Exported::of(user, hash))?)?;
        }
        Ok(())
    })
}
