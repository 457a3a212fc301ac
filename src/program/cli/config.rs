use clap::Subcommand;

use super::{Done, output};
use crate::foundation::settings::{Effective, Sources};
use crate::people::passkeys::Unavailable;

#[derive(Subcommand)]
pub enum Command {
    /// Shows every setting in effect and where it came from; secrets are hidden
    #[command(after_help = "Example: vestibule config show --json")]
    Show {
        #[arg(long)]
        json: bool,
    },
    /// Says whether the settings are good, without starting anything
    #[command(after_help = "Example: vestibule --config /etc/vestibule/Rocket.toml config check")]
    Check,
}

pub fn run(command: &Command, sources: &Sources) -> Done {
    let effective = Effective::load(sources)?;
    match command {
        Command::Check => check(&effective),
        Command::Show { json: true } => output::json(&effective.origins()),
        Command::Show { json: false } => show(&effective),
    }
}

/// With what is left out because of them.
fn check(effective: &Effective) -> Done {
    output::say("The settings are good.")?;
    match Unavailable::of(&effective.settings) {
        Some(why) => output::say(&why.to_string()),
        None => Ok(()),
    }
}

fn show(effective: &Effective) -> Done {
    let rows: Vec<[String; 3]> = effective
        .origins()
        .into_iter()
        .map(|origin| {
            let value = origin
                .value
                .as_str()
                .map_or_else(|| origin.value.to_string(), str::to_owned);
            [origin.key, value, origin.source]
        })
        .collect();
    output::table(["KEY", "VALUE", "FROM"], &rows, "")
}
