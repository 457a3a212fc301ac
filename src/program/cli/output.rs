//! What commands print.

use std::io::{self, Write};

use serde::Serialize;

use super::Done;

/// A line on standard output; a closed one is no failure.
pub fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A line on standard error.
pub fn err(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

pub fn json<T: Serialize>(value: &T) -> Done {
    say(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Columns as wide as their widest cell; a line saying `nothing` where there is no row.
pub fn table<const N: usize>(header: [&str; N], rows: &[[String; N]], nothing: &str) {
    if rows.is_empty() {
        return say(nothing);
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .chain([header[column].len()])
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |cells: [&str; N]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        say(padded.join("  ").trim_end());
    };
    line(header);
    for row in rows {
        line(std::array::from_fn(|column| row[column].as_str()));
    }
}
