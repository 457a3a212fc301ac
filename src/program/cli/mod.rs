//! The command line: one file per command group.
//!
//! Commands work on the database while the server runs, take effect on its next request, and write
//! the same audit records.

mod audit;
mod client;
mod config;
mod database;
mod doctor;
mod explain;
mod export;
mod hardening;
mod icon;
mod import;
mod invite;
mod key;
mod logging;
mod mail;
mod output;
mod password;
mod rule;
mod serve;
mod session;
mod setup;
mod signals;
mod site;
mod token;
mod usage;
mod user;
mod zone;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser, Subcommand};
use rocket::tokio::runtime::Runtime;

use self::hardening::own_database;
use crate::foundation::app::App;
use crate::foundation::clock::Clock;
use crate::foundation::db;
use crate::foundation::settings::{Effective, Sources};
use crate::vestibule::open_app;

/// Signs people in, keeps their sessions, and tells any reverse proxy who is at the door.
#[derive(Parser)]
#[command(
    name = "vestibule",
    version,
    after_help = "Without a command, the server is started.\n\nExample: vestibule --config /etc/vestibule/Rocket.toml serve"
)]
struct Cli {
    /// The settings file [default: Rocket.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database, like sqlite:vestibule.db; wins over the environment and the file
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the server
    #[command(after_help = "Example: vestibule serve")]
    Serve,
    /// Adds, shows and changes users
    #[command(subcommand)]
    User(user::Command),
    /// Lists and revokes sessions
    #[command(subcommand)]
    Session(session::Command),
    /// Reads the audit trail
    #[command(subcommand)]
    Audit(audit::Command),
    /// Adds, lists and removes protected sites
    #[command(subcommand)]
    Site(site::Command),
    /// Adds, lists and removes the rules of sites
    #[command(subcommand)]
    Rule(rule::Command),
    /// Makes, lists and revokes app tokens, for programs that cannot sign in as a person does
    #[command(subcommand)]
    Token(token::Command),
    /// Makes an invitation, and prints its link: whoever has it makes an account
    #[command(after_help = "Example: vestibule invite --email alice@example.com --group family")]
    Invite(invite::Invite),
    /// Lists and revokes invitations
    #[command(after_help = "Example: vestibule invitations")]
    Invitations(invite::Invitations),
    /// Adds, shows and changes applications that speak OpenID Connect
    #[command(subcommand)]
    Client(client::Command),
    /// Says what would be answered to a request at a protected site, and why
    Explain(explain::Explain),
    /// Tries the mail settings
    #[command(subcommand)]
    Mail(mail::Command),
    /// Changes the key that secrets in the database are sealed with
    #[command(subcommand)]
    Key(key::Command),
    /// Makes the link for the first admin
    #[command(subcommand)]
    Setup(setup::Command),
    /// Adds the users of another program's file, all or none
    #[command(subcommand)]
    Import(import::Command),
    /// Prints users for another Vestibule
    #[command(subcommand)]
    Export(export::Command),
    /// Migrates, checks, backs up and restores the database
    #[command(subcommand)]
    Db(database::Command),
    /// Shows and checks the settings
    #[command(subcommand)]
    Config(config::Command),
    /// Asks a protected site as a browser would, and says what is wrong and how to cure it
    #[command(
        after_help = "Example: vestibule doctor https://app.example.com/\nExample: vestibule doctor https://auth.example.com/"
    )]
    Doctor(doctor::Doctor),
    /// Prints completions for a shell
    #[command(
        after_help = "Example: vestibule completions bash > /etc/bash_completion.d/vestibule"
    )]
    Completions { shell: clap_complete::Shell },
}

/// What a command failed of: told on standard error.
type Fault = Box<dyn std::error::Error + Send + Sync>;
type Done = Result<(), Fault>;

/// Runs what the arguments say; 0 done, 1 failed, 2 wrong usage.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => return usage::tell(told),
    };
    hardening::harden();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            for line in fault.to_string().lines() {
                output::err(&format!("vestibule: {line}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Done {
    let sources = Sources {
        file: cli.config.as_deref(),
        environment: std::env::vars_os().collect(),
        database: cli.database.as_deref(),
    };
    match cli.command.unwrap_or(Command::Serve) {
        Command::Completions { shell } => {
            // Not straight to standard output, where a failure would be a panic.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "vestibule", &mut script);
            output::say(String::from_utf8(script)?.trim_end())
        }
        Command::Config(command) => config::run(&command, &sources),
        Command::Serve => serve::run(Effective::load(&sources)?),
        Command::Mail(command) => mail::run(&command, Effective::load(&sources)?),
        Command::Key(command) => key::run(&command, Effective::load(&sources)?),
        Command::Setup(command) => setup::run(&command, Effective::load(&sources)?),
        Command::Db(command) => database::run(&command, Effective::load(&sources)?),
        Command::Import(command) => import::run(&command, Effective::load(&sources)?),
        Command::Export(command) => export::run(&command, Effective::load(&sources)?),
        Command::User(command) => user::run(command, Effective::load(&sources)?),
        Command::Session(command) => session::run(&command, Effective::load(&sources)?),
        Command::Site(command) => site::run(&command, Effective::load(&sources)?),
        Command::Rule(command) => rule::run(&command, Effective::load(&sources)?),
        Command::Token(command) => token::run(&command, Effective::load(&sources)?),
        Command::Invite(invite) => invite::run(&invite, Effective::load(&sources)?),
        Command::Invitations(command) => invite::run_list(&command, Effective::load(&sources)?),
        Command::Client(command) => client::run(&command, Effective::load(&sources)?),
        Command::Explain(command) => explain::run(&command, Effective::load(&sources)?),
        Command::Audit(command) => audit::run(&command, Effective::load(&sources)?),
        Command::Doctor(command) => doctor::run(&command, Effective::load(&sources)?),
    }
}

/// Opens the database for a command, making it ready first.
async fn open(effective: Effective) -> Result<Arc<App>, Fault> {
    let location = own_database(&effective.settings)?;
    db::prepare(&location).await?;
    let app = open_app(effective.settings, Clock::system(), &location).await?;
    app.db.acknowledge_beside_a_server();
    Ok(app)
}

fn runtime(workers: usize) -> Result<Runtime, Fault> {
    Ok(rocket::tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?)
}

/// Runs a command's work on an open database.
fn with_app(effective: Effective, work: impl AsyncFnOnce(&App) -> Done) -> Done {
    let _logging = logging::init_for_command(&effective.settings);
    runtime(1)?.block_on(async {
        let app = open(effective).await?;
        let done = work(&app).await;
        app.close().await;
        done
    })
}
