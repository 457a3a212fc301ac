use csv::StringRecord;

use super::{Read, all_or_none};
use crate::people::passwords::HashForm;
use crate::people::users::{Entry, Fault, NewUser};

const COLUMNS: [&str; 8] = [
    "username",
    "email",
    "display_name",
    "groups",
    "password_hash",
    "disabled",
    "admin",
    "email_verified",
];

pub fn read(text: &str) -> Read {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let columns = reader
        .headers()
        .map_err(|error| vec![fault(&error)])?
        .clone();
    if let Some(unknown) = columns.iter().find(|name| !COLUMNS.contains(name)) {
        let columns = COLUMNS.join(", ");
        let text = format!("there is no column {unknown}; there are {columns}");
        return Err(vec![Fault { line: 1, text }]);
    }
    if !columns.iter().any(|name| name == "username") {
        let text = "the first line names the columns, username among them".to_owned();
        return Err(vec![Fault { line: 1, text }]);
    }
    all_or_none(reader.into_records().map(|row| {
        let row = row.map_err(|error| fault(&error))?;
        entry(&columns, &row)
    }))
}

fn entry(columns: &StringRecord, row: &StringRecord) -> Result<Entry, Fault> {
    let line = row.position().map_or(0, csv::Position::line);
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    let field = |name: &str| {
        let place = columns.iter().position(|column| column == name)?;
        row.get(place).filter(|text| !text.is_empty())
    };
    let text = |name| field(name).map(str::to_owned);
    let is = |name| match field(name) {
        None | Some("false" | "no" | "0") => Ok(false),
        Some("true" | "yes" | "1") => Ok(true),
        Some(_) => Err(Fault {
            line,
            text: format!("{name} is true or false"),
        }),
    };
    let groups = field("groups").unwrap_or_default().split(';');
    let groups = groups.map(str::trim).filter(|group| !group.is_empty());
    Ok(Entry {
        line,
        new: NewUser {
            username: text("username").unwrap_or_default(),
            display_name: text("display_name"),
            email: text("email"),
            admin: is("admin")?,
            groups: groups.map(str::to_owned).collect(),
            must_change_password: false,
        },
        email_verified: is("email_verified")?,
        disabled: is("disabled")?,
        hash: text("password_hash"),
        form: HashForm::Typed,
    })
}

fn fault(error: &csv::Error) -> Fault {
    let line = error.position().map_or(1, csv::Position::line);
    Fault {
        line: usize::try_from(line).unwrap_or(usize::MAX),
        text: error.to_string(),
    }
}
