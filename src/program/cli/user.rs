use clap::Subcommand;

use super::password::{Given, PasswordSource};
use super::{Done, Fault, output, with_app, zone};
use crate::account::{enrolment, lifecycle, reset};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::settings::Effective;
use crate::people::users::{self, Changes, NewUser, Outcome, Refused, User};

#[derive(Subcommand)]
pub enum Command {
    /// Adds a user; asks for the password unless told where to get it
    #[command(
        after_help = "Example: vestibule user add alice --email alice@example.com --group family --generate"
    )]
    Add {
        name: String,
        #[arg(long)]
        email: Option<String>,
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// May see and change everything
        #[arg(long)]
        admin: bool,
        /// May be given more than once
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Lists all users
    #[command(after_help = "Example: vestibule user list --json")]
    List {
        #[arg(long)]
        json: bool,
    },
    /// Shows one user
    #[command(after_help = "Example: vestibule user show alice")]
    Show {
        name: String,
        #[arg(long)]
        json: bool,
    },
    /// Sets a user's password and ends the user's sessions
    #[command(after_help = "Example: vestibule user passwd alice --generate")]
    Passwd {
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Changes what is known of a user; a right that is gained ends the user's sessions
    #[command(after_help = "Example: vestibule user set alice --admin true --add-group family")]
    Set {
        #[arg(required_unless_present = "all")]
        name: Option<String>,
        /// Every user who has an address, in place of one: with --email-verified
        #[arg(long, requires = "email_verified",
              conflicts_with_all = ["name", "email", "display_name", "admin", "must_change_password", "add_groups", "remove_groups"])]
        all: bool,
        /// An empty one takes the address away
        #[arg(long)]
        email: Option<String>,
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        #[arg(long, value_name = "true|false")]
        admin: Option<bool>,
        /// Whether the address is known to be the user's own; another address is not, until this says so
        #[arg(long, value_name = "true|false")]
        email_verified: Option<bool>,
        /// Demands a new password at the next sign-in, as when the old one is known to others
        #[arg(long, value_name = "true|false")]
        must_change_password: Option<bool>,
        #[arg(long = "add-group", value_name = "GROUP")]
        add_groups: Vec<String>,
        #[arg(long = "remove-group", value_name = "GROUP")]
        remove_groups: Vec<String>,
    },
    /// Bars a user from signing in and ends the user's sessions
    #[command(after_help = "Example: vestibule user disable alice")]
    Disable { name: String },
    /// Lets a disabled user sign in again
    #[command(after_help = "Example: vestibule user enable alice")]
    Enable { name: String },
    /// Prints a link by which a user chooses a new password; good for 30 minutes, and once
    #[command(after_help = "Example: vestibule user reset-link alice")]
    ResetLink { name: String },
    /// Prints a code after which a user who gets none by mail sets up a first second factor; good for a day, and once
    #[command(after_help = "Example: vestibule user enrolment-code alice")]
    EnrolmentCode { name: String },
    /// Removes the second factors of a user who has lost them, and ends the user's sessions
    #[command(after_help = "Example: vestibule user reset-factors alice")]
    ResetFactors { name: String },
    /// Removes a user with all sessions; audit records stay
    #[command(after_help = "Example: vestibule user delete alice --yes")]
    Delete {
        name: String,
        /// Really
        #[arg(long, required = true)]
        yes: bool,
    },
}

pub fn run(command: Command, effective: Effective) -> Done {
    // Before the database is touched: a wrong answer at the prompt changes nothing.
    let password = match &command {
        Command::Add { password, .. } | Command::Passwd { password, .. } => Some(password.read()?),
        _ => None,
    };
    with_app(effective, async |app| {
        let actor = Actor::operator();
        match command {
            Command::List { json } => list(app, json).await,
            Command::Show { name, json } => show(&find(app, &name).await?, json),
            Command::Add {
                name,
                email,
                display_name,
                admin,
                groups,
                ..
            } => {
                let new = NewUser {
                    username: name,
                    display_name,
                    email,
                    admin,
                    groups,
                    must_change_password: false,
                };
                let password = password.unwrap_or_else(|| unreachable!("read above"));
                add(app, &actor, new, password).await
            }
            Command::Passwd { name, .. } => {
                let password = password.unwrap_or_else(|| unreachable!("read above"));
                set_password(app, &actor, &name, password).await
            }
            Command::Set {
                name: None,
                email_verified,
                ..
            } => verify_all(app, &actor, email_verified == Some(true)).await,
            Command::Set {
                name: Some(name),
                all: _,
                email,
                display_name,
                admin,
                email_verified,
                must_change_password,
                add_groups,
                remove_groups,
            } => {
                let changes = Changes {
                    display_name,
                    email,
                    admin,
                    email_verified,
                    must_change_password,
                    add_groups,
                    remove_groups,
                    ..Changes::default()
                };
                say_done(
                    "Changed",
                    &accepted(lifecycle::change(app, &actor, &name, changes).await)?,
                )
            }
            Command::Disable { name } => say_done(
                "Disabled",
                &accepted(lifecycle::disable(app, &actor, &name).await)?,
            ),
            Command::Enable { name } => say_done(
                "Enabled",
                &accepted(lifecycle::enable(app, &actor, &name).await)?,
            ),
            Command::ResetLink { name } => {
                output::say(&accepted(reset::link_for(app, &actor, &name).await)?)
            }
            Command::EnrolmentCode { name } => enrolment_code(app, &actor, &name).await,
            Command::ResetFactors { name } => say_done(
                "Removed the second factors of",
                &accepted(lifecycle::reset_factors(app, &actor, &name).await)?,
            ),
            Command::Delete { name, .. } => say_done(
                "Deleted",
                &accepted(lifecycle::delete(app, &actor, &name).await)?,
            ),
        }
    })
}

async fn add(app: &App, actor: &Actor, new: NewUser, given: Given) -> Done {
    let new = accepted(users::may_be_added(app, new).await)?;
    let user = given
        .put_in_force(async |password| accepted(users::create(app, actor, new, password).await))
        .await?;
    say_done("Added", &user)
}

/// Says of every address whether it is known to be its user's own.
async fn verify_all(app: &App, actor: &Actor, is_verified: bool) -> Done {
    let (mut changed, mut refused) = (0, String::new());
    for user in users::list(app.db.reader()).await? {
        if user.email.is_none() || user.email_verified == is_verified {
            continue;
        }
        let changes = Changes {
            email_verified: Some(is_verified),
            ..Changes::default()
        };
        match lifecycle::change(app, actor, &user.username, changes).await? {
            Ok(_) => changed += 1,
            Err(why) => refused += &format!("{} is as before: {why}\n", user.username),
        }
    }
    let told = format!("Changed {}.", output::counted(changed, "user"));
    if !refused.is_empty() {
        return Err((refused + &told).into());
    }
    output::err(&told);
    Ok(())
}

async fn enrolment_code(app: &App, actor: &Actor, name: &str) -> Done {
    if !app.settings.mail.is_on() {
        return Err("no mail is set up, so nobody is asked for a code: the first who comes with the password sets up the first factor".into());
    }
    let code = accepted(enrolment::code_for(app, actor, name).await)?;
    output::say(&code)?;
    output::err("Good once, within a day: the user enters it at /account/factors.");
    Ok(())
}

async fn set_password(app: &App, actor: &Actor, name: &str, given: Given) -> Done {
    find(app, name).await?;
    let user = given
        .put_in_force(async |password| {
            accepted(lifecycle::set_password(app, actor, name, password).await)
        })
        .await?;
    output::err(&format!(
        "Set the password of {} and ended all sessions of that user.",
        user.username
    ));
    Ok(())
}

pub(super) async fn find(app: &App, name: &str) -> Result<User, Fault> {
    let user = users::by_name(app.db.reader(), name).await?;
    user.ok_or_else(|| format!("there is no user {name}; `vestibule user list` shows all").into())
}

fn accepted<T>(outcome: Outcome<T>) -> Result<T, Fault> {
    outcome?.map_err(|refused: Refused| refused.to_string().into())
}

fn say_done(what: &str, user: &User) -> Done {
    output::err(&format!("{what} {}.", user.username));
    Ok(())
}

async fn list(app: &App, json: bool) -> Done {
    let users = users::list(app.db.reader()).await?;
    if json {
        return output::json(&users);
    }
    let rows: Vec<[String; 5]> = users
        .iter()
        .map(|user| {
            [
                user.username.clone(),
                user.display_name.clone(),
                user.email.clone().unwrap_or_default(),
                state(user),
                user.groups.join(", "),
            ]
        })
        .collect();
    output::table(
        ["NAME", "DISPLAY NAME", "EMAIL", "STATE", "GROUPS"],
        &rows,
        "There are no users yet; `vestibule user add NAME --admin` adds one.",
    )
}

fn state(user: &User) -> String {
    let words = [
        (user.disabled_at.is_some(), "disabled"),
        (user.admin, "admin"),
        (user.must_change_password, "must change password"),
        (user.has_second_factor(), "second factor"),
    ];
    let state: Vec<&str> = words
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, word)| *word)
        .collect();
    if state.is_empty() {
        "user".to_owned()
    } else {
        state.join(", ")
    }
}

fn show(user: &User, json: bool) -> Done {
    if json {
        return output::json(user);
    }
    let lines = [
        ("Name", user.username.clone()),
        ("Display name", user.display_name.clone()),
        ("Email", user.email.clone().unwrap_or_default()),
        ("Groups", user.groups.join(", ")),
        ("State", state(user)),
        ("Since", zone::local(user.created_at)),
        ("Id", user.id.to_string()),
    ];
    output::fields(&lines)
}
