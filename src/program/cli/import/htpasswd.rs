use super::Read;
use crate::people::passwords::HashForm;
use crate::people::users::{Entry, Fault, NewUser};

pub fn read(text: &str) -> Read {
    let lines = (1..).zip(text.lines());
    let users = lines.filter(|(_, text)| !text.trim().is_empty() && !text.starts_with('#'));
    Read::of_lines(users.map(|(line, text)| entry(line, text)))
}

fn entry(line: usize, text: &str) -> Result<Entry, Fault> {
    let (name, hash) = text.split_once(':').ok_or_else(|| Fault {
        line,
        text: "there is no : after the name".to_owned(),
    })?;
    // Some programs put more fields after the hash.
    let hash = hash.split(':').next().unwrap_or_default().trim_end();
    Ok(Entry {
        line,
        new: NewUser {
            username: name.to_owned(),
            ..NewUser::default()
        },
        email_verified: false,
        disabled: false,
        hash: Some(hash.to_owned()),
        form: HashForm::Typed,
    })
}
