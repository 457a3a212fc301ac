//! Where commands get a password from: never from argv, which everyone on the machine can read.

use std::io::{IsTerminal, Read};

use clap::Args;

use super::{Fault, output};
use crate::people::passwords::Password;

#[derive(Args)]
pub struct PasswordSource {
    /// Reads the password from standard input; one trailing newline is dropped
    #[arg(long, conflicts_with = "generate")]
    password_stdin: bool,
    /// Makes a password and prints it
    #[arg(long)]
    generate: bool,
}

impl PasswordSource {
    /// The password, and whether it was generated and is to be printed.
    pub fn read(&self) -> Result<(Password, bool), Fault> {
        if self.generate {
            return Ok((Password::generate(), true));
        }
        if self.password_stdin {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            let text = text.strip_suffix('\n').map(str::to_owned).unwrap_or(text);
            return Ok((Password::new(text), false));
        }
        if !std::io::stdin().is_terminal() {
            return Err(
                "there is no terminal to ask for a password; use --password-stdin or --generate"
                    .into(),
            );
        }
        let first = rpassword::prompt_password("Password: ")?;
        let second = rpassword::prompt_password("Once more: ")?;
        if first == second {
            Ok((Password::new(first), false))
        } else {
            Err("the two passwords are not the same; nothing was changed".into())
        }
    }
}

/// Prints a generated password alone on standard output, so that a script can take it.
pub fn hand_over(password: &Password, generated: bool) {
    if generated {
        output::say(password.reveal());
    }
}
