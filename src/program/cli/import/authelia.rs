use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::Read;
use crate::people::passwords::HashForm;
use crate::people::users::{Entry, Fault, NewUser};

/// What it has beside this is of no use here.
#[derive(Deserialize)]
struct File {
    users: BTreeMap<String, Spanned<Person>>,
}

#[derive(Deserialize)]
struct Person {
    displayname: Option<String>,
    email: Option<String>,
    password: Option<String>,
    #[serde(default)]
    groups: Option<Vec<String>>,
    #[serde(default)]
    disabled: bool,
}

pub fn read(text: &str) -> Read {
    // The library's own words may quote the line, with the hash in it.
    let file: File = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |at| at.line());
        vec![Fault {
            line: usize::try_from(line).unwrap_or(usize::MAX),
            text: "cannot be read: users have each a name of their own, and below it displayname, password, email and groups".to_owned(),
        }]
    })?;
    let mut entries: Vec<Entry> = file.users.into_iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}

fn entry((username, person): (String, Spanned<Person>)) -> Entry {
    let line = person.referenced.line();
    let person = person.value;
    Entry {
        line: usize::try_from(line).unwrap_or(usize::MAX),
        new: NewUser {
            username,
            display_name: person.displayname,
            email: person.email,
            admin: false,
            groups: person.groups.unwrap_or_default(),
            must_change_password: false,
        },
        email_verified: false,
        disabled: person.disabled,
        hash: person.password,
        form: HashForm::Typed,
    }
}
