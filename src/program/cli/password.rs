//! Where commands get a password from: never from argv, which everyone on the machine can read.

use std::io::{IsTerminal, Read};

use clap::Args;

use super::{Fault, output};
use crate::foundation::settings::without_line_end;
use crate::people::passwords::Password;

#[derive(Args)]
pub struct PasswordSource {
    /// Reads the password from standard input; one trailing newline is dropped, Windows' too
    #[arg(long, conflicts_with = "generate")]
    password_stdin: bool,
    /// Makes a password and prints it
    #[arg(long)]
    generate: bool,
}

/// A password on its way to be set.
pub struct Given {
    password: Password,
    /// Nobody knows it yet.
    is_generated: bool,
}

impl PasswordSource {
    pub fn read(&self) -> Result<Given, Fault> {
        let password = if self.generate {
            Password::generate()
        } else if self.password_stdin {
            from_standard_input()?
        } else {
            asked_for()?
        };
        Ok(Given {
            password,
            is_generated: self.generate,
        })
    }
}

fn from_standard_input() -> Result<Password, Fault> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| format!("standard input: {error}"))?;
    Ok(Password::new(without_line_end(&text).to_owned()))
}

fn asked_for() -> Result<Password, Fault> {
    if !std::io::stdin().is_terminal() {
        return Err(
            "there is no terminal to ask for a password; use --password-stdin or --generate".into(),
        );
    }
    let first = rpassword::prompt_password("Password: ")?;
    let second = rpassword::prompt_password("Once more: ")?;
    if first == second {
        Ok(Password::new(first))
    } else {
        Err("the two passwords are not the same; nothing was changed".into())
    }
}

impl Given {
    /// Does what sets the password. A generated one is printed first, alone on standard output: it may
    /// be printed in vain, but is never set without somebody who knows it.
    ///
    /// Not in the transaction, where a terminal that stands still would hold up the server's writes.
    pub async fn put_in_force<T>(
        &self,
        set: impl AsyncFnOnce(&Password) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if !self.is_generated {
            return set(&self.password).await;
        }
        output::hand_over(self.password.reveal())?;
        let done = set(&self.password).await;
        done.map_err(|fault| format!("{fault}\nthe password that was printed is not set").into())
    }
}
