use clap::Subcommand;

use super::{Done, output, with_app};
use crate::foundation::settings::Effective;
use crate::login::first_admin::{self, code};

#[derive(Subcommand)]
pub enum Command {
    /// Makes a new link for the first admin, in place of the one that a server printed
    #[command(after_help = "Example: vestibule setup link")]
    Link,
}

pub fn run(command: &Command, effective: Effective) -> Done {
    let Command::Link = command;
    with_app(effective, async |app| {
        if !first_admin::is_open(app).await? {
            return Err(
                "there is an admin already; `vestibule user add NAME --admin` adds another".into(),
            );
        }
        output::say(&code::link(app).await?)
    })
}
