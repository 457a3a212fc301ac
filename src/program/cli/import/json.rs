use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Read;
use crate::people::passwords::HashForm;
use crate::people::users::{Entry, Fault, NewUser, StoredHash, User};

/// A user on a line of the file that `export users` writes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    username: String,
    #[serde(default)]
    display_name: String,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    must_change_password: bool,
    password_hash: Option<String>,
    /// Whether the hash is of the password as it was typed, and not of its normal form.
    #[serde(default)]
    password_as_typed: bool,
}

impl Exported {
    pub fn of(user: User, stored: StoredHash) -> Self {
        Self {
            username: user.username,
            display_name: user.display_name,
            email: user.email,
            email_verified: user.email_verified,
            groups: user.groups,
            admin: user.admin,
            disabled: user.disabled_at.is_some(),
            must_change_password: user.must_change_password,
            password_hash: stored.password_hash,
            password_as_typed: stored.password_form == HashForm::Typed,
        }
    }
}

pub fn read(text: &str) -> Read {
    let lines = (1..).zip(text.lines());
    let users = lines.filter(|(_, text)| !text.trim().is_empty());
    Read::of_lines(users.map(|(line, text)| {
        let exported = serde_json::from_str(text).map_err(|error| fault(line, text, &error))?;
        Ok(entry(line, exported))
    }))
}

/// The library's own words may quote a value, which may be a hash.
fn fault(line: usize, text: &str, error: &serde_json::Error) -> Fault {
    let user: Value = serde_json::from_str(text).unwrap_or_default();
    let what = format!(
        "is no user as `export users` writes one, from character {} on",
        error.column()
    );
    Fault::of_user(line, user["username"].as_str().unwrap_or_default(), what)
}

fn entry(line: usize, exported: Exported) -> Entry {
    let form = match exported.password_as_typed {
        true => HashForm::Typed,
        false => HashForm::Nfc,
    };
    Entry {
        line,
        new: NewUser {
            username: exported.username,
            display_name: Some(exported.display_name),
            email: exported.email,
            admin: exported.admin,
            groups: exported.groups,
            must_change_password: exported.must_change_password,
        },
        email_verified: exported.email_verified,
        disabled: exported.disabled,
        hash: exported.password_hash,
        form,
    }
}
