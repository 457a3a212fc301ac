//! What commands print, and whether it could be printed.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::{Done, Fault};

/// Text and a newline on standard output. A reader that has left has what it wanted: no failure.
///
/// # Errors
/// It cannot be written, as on a full disk.
pub fn say(text: &str) -> Done {
    match write(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(unwritten(&error)),
        _ => Ok(()),
    }
}

/// How many there are, as a person would say it: 1 user, 2 users.
pub fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

/// A line on standard error.
pub fn err(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

pub fn json<T: Serialize>(value: &T) -> Done {
    say(&serde_json::to_string_pretty(value)?)
}

/// The only copy of a secret, alone on standard output, so that a script can take it.
///
/// Told before the change that puts it in force: what could not be told changes nothing.
///
/// # Errors
/// It cannot be written, the reader has left, or standard output leads nowhere.
pub fn hand_over(secret: &str) -> Done {
    let told = if leads_nowhere() {
        Err(io::Error::other("it is closed or /dev/null"))
    } else {
        write(secret)
    };
    told.map_err(|error| {
        format!(
            "standard output: {error}; nobody would know the new password, so nothing was changed"
        )
        .into()
    })
}

pub fn unwritten(error: &io::Error) -> Fault {
    format!("standard output: {error}; what was printed is not whole, what was changed stays so")
        .into()
}

/// Past the standard library's own handle, which takes a closed descriptor for written.
fn write(text: &str) -> io::Result<()> {
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    out.write_all(format!("{text}\n").as_bytes())
}

/// A standard output that was closed is /dev/null by now: the runtime opens it at the start.
fn leads_nowhere() -> bool {
    let device = rustix::fs::fstat(io::stdout()).map(|file| file.st_rdev);
    let null = std::fs::metadata("/dev/null").map(|file| file.rdev());
    matches!((device, null), (Ok(device), Ok(null)) if device == null)
}

/// A line for each field, the names in a column of their own.
pub fn fields(fields: &[(&str, String)]) -> Done {
    let longest = fields.iter().map(|(name, _)| name.len()).max();
    let width = longest.unwrap_or_default() + 1;
    let lines = fields.iter().map(|(name, value)| {
        let line = format!("{name:<width$} {value}");
        line.trim_end().to_owned()
    });
    say(&lines.collect::<Vec<_>>().join("\n"))
}

/// Columns as wide as their widest cell; a line saying `nothing` where there is no row.
pub fn table<const N: usize>(header: [&str; N], rows: &[[String; N]], nothing: &str) -> Done {
    if rows.is_empty() {
        return say(nothing);
    }
    let all =
        || std::iter::once(header).chain(rows.iter().map(|row| row.each_ref().map(String::as_str)));
    let widths: [usize; N] = std::array::from_fn(|column| {
        all()
            .map(|row| row[column].width())
            .max()
            .unwrap_or_default()
    });
    let lines: Vec<String> = all().map(|row| line(row, widths)).collect();
    say(&lines.join("\n"))
}

fn line<const N: usize>(cells: [&str; N], widths: [usize; N]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| {
        // A terminal's columns, not characters: some are two wide, some none.
        format!("{cell}{}", " ".repeat(width - cell.width()))
    });
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}
