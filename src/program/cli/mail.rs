use clap::Subcommand;

use super::{Done, output, with_app};
use crate::account::letters;
use crate::foundation::app::App;
use crate::foundation::mail;
use crate::foundation::settings::Effective;

#[derive(Subcommand)]
pub enum Command {
    /// Sends a mail now, and tells each step of the dialogue with the mail server
    #[command(after_help = "Example: vestibule mail test alice@example.com")]
    Test { address: String },
}

pub fn run(command: &Command, effective: Effective) -> Done {
    let Command::Test { address } = command;
    with_app(effective, async |app| test(app, address).await)
}

async fn test(app: &App, address: &str) -> Done {
    if !app.settings.mail.is_on() {
        return Err("mail.host: is not set, so no mail is sent; see docs/mail.md".into());
    }
    let message = letters::test_message(app, address)?;
    let settings = app.settings.clone();
    let sent = rocket::tokio::task::spawn_blocking(move || {
        mail::deliver(&settings, uuid::Uuid::now_v7(), &message, &mut |step| {
            output::err(&format!("ok: {step}"));
        })
    });
    match sent.await? {
        Ok(()) => output::say(&format!("Sent to {address}. See whether it arrives.")),
        Err(failure) => Err(failure.text.into()),
    }
}
