use serde::Deserialize;
use serde_json::Value;

use super::Read;
use super::yaml::{self, Below, Fields, line_of};
use crate::people::passwords::HashForm;
use crate::people::users::{Entry, Fault, NewUser};

/// What it has beside this is of no use here.
#[derive(Deserialize)]
struct File {
    users: Option<Below<Value>>,
}

pub fn read(text: &str) -> Read {
    let users = match yaml::read(text) {
        Ok(File { users }) => users.map_or_else(Vec::new, |users| users.0),
        Err(faults) => return Read::faulty(faults),
    };
    let mut read = Read::default();
    for (username, person) in users {
        let line = line_of(username.referenced);
        let mut person = Fields::of(person);
        read.entries.push(entry(line, &username.value, &mut person));
        let told = |text| Fault::of_user(line, &username.value, text);
        read.faults.extend(person.faults.into_iter().map(told));
    }
    read
}

fn entry(line: usize, username: &str, person: &mut Fields) -> Entry {
    Entry {
        line,
        new: NewUser {
            username: username.to_owned(),
            display_name: person.text("displayname"),
            email: person.text("email"),
            admin: false,
            groups: person.list("groups"),
            must_change_password: false,
        },
        email_verified: false,
        disabled: person.is("disabled"),
        hash: person.text("password"),
        form: HashForm::Typed,
    }
}
