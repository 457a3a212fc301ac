use csv::{Position, ReaderBuilder, StringRecord, Trim};

use super::Read;
use super::output::counted;
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
    let mut builder = ReaderBuilder::new();
    // Rows of another length are told of in our words.
    let builder = builder.flexible(true).trim(Trim::Headers);
    let mut rows = builder.from_reader(text.as_bytes());
    let unreadable = |line| Fault {
        line,
        text: "cannot be read as a table".to_owned(),
    };
    let Ok(columns) = rows.headers().cloned() else {
        return Read::faulty(vec![unreadable(1)]);
    };
    let mut lines = Lines::of(text);
    let line = lines.of_row(&columns);
    let told = |text| Fault { line, text };
    let mut read = Read::faulty(faults_of(&columns).into_iter().map(told).collect());
    if !columns.iter().any(|name| name == "username") {
        return read;
    }
    for row in rows.into_records() {
        let Ok(row) = row else {
            read.faults.push(unreadable(lines.line));
            continue;
        };
        let line = lines.of_row(&row);
        if row.len() == columns.len() {
            let entry = entry(&columns, &row, line, &mut read.faults);
            read.entries.push(entry);
        } else {
            // Its name is not told: what stands in that column may be a hash.
            read.faults.push(Fault {
                line,
                text: format!(
                    "has {}, and the first line names {}; what has a comma in it stands in \"\"",
                    counted(row.len(), "field"),
                    counted(columns.len(), "column")
                ),
            });
        }
    }
    read
}

/// Counts the lines before a row. The library's own count is of where the row before it ended: above empty lines, and
/// between the two characters that end a line in Windows.
struct Lines<'a> {
    rest: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            rest: text.as_bytes(),
            at: 0,
            line: 1,
        }
    }

    fn of_row(&mut self, row: &StringRecord) -> usize {
        let end_before = row.position().map_or(0, Position::byte);
        let end_before = usize::try_from(end_before).unwrap_or(usize::MAX);
        let passed = end_before.saturating_sub(self.at).min(self.rest.len());
        let is_text = |byte: &u8| !b"\r\n".contains(byte);
        let empty = self.rest[passed..].iter().position(is_text);
        let (passed, rest) = self.rest.split_at(passed + empty.unwrap_or_default());
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at += passed.len();
        self.rest = rest;
        self.line
    }
}

/// What is wrong with the first line. It is not quoted: in a table without one, that is a user with a hash.
fn faults_of(columns: &StringRecord) -> Vec<String> {
    let all = COLUMNS.join(", ");
    let unknown = (1..)
        .zip(columns)
        .filter(|(_, name)| !COLUMNS.contains(name));
    let unknown = unknown.map(|(number, _)| format!("column {number} is named none of {all}"));
    let count = |wanted: &str| columns.iter().filter(|name| *name == wanted).count();
    let twice = COLUMNS.into_iter().filter(|name| count(name) > 1);
    let twice = twice.map(|name| format!("more than one column is named {name}"));
    let nameless = (count("username") == 0)
        .then(|| "the first line names the columns, username among them".to_owned());
    unknown.chain(twice).chain(nameless).collect()
}

fn entry(
    columns: &StringRecord,
    row: &StringRecord,
    line: usize,
    faults: &mut Vec<Fault>,
) -> Entry {
    let field = |name: &str| {
        let place = columns.iter().position(|column| column == name)?;
        row.get(place).filter(|text| !text.is_empty())
    };
    let text = |name| field(name).map(str::to_owned);
    let username = text("username").unwrap_or_default();
    let mut is = |name| match field(name) {
        None | Some("false" | "no" | "0") => false,
        Some("true" | "yes" | "1") => true,
        Some(_) => {
            let text = format!("{name} is true or false");
            faults.push(Fault::of_user(line, &username, text));
            false
        }
    };
    let hash = text("password_hash");
    let (disabled, admin, email_verified) = (is("disabled"), is("admin"), is("email_verified"));
    // Each other column refuses that, too.
    if hash.as_ref().is_some_and(|hash| hash.contains('\n')) {
        let text = "password_hash has more than one line; is a \" missing?".to_owned();
        faults.push(Fault::of_user(line, &username, text));
    }
    let groups = field("groups").unwrap_or_default().split(';');
    let groups = groups.map(str::trim).filter(|group| !group.is_empty());
    Entry {
        line,
        new: NewUser {
            display_name: text("display_name"),
            email: text("email"),
            admin,
            groups: groups.map(str::to_owned).collect(),
            must_change_password: false,
            username,
        },
        email_verified,
        disabled,
        hash,
        form: HashForm::Typed,
    }
}
