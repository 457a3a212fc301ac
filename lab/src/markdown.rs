//! Tables for people and documents, and the section of a document that a command writes.

use std::fs;
use std::path::Path;

use xtask::run::{Outcome, Stop, failed};

/// A table. So many columns after the first have their cells at the right.
pub fn table(head: &[&str], right: usize, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let ruler = (0..head.len()).map(|column| match (1..=right).contains(&column) {
        true => "---:",
        false => "---",
    });
    let mut text = row(head) + &row(&ruler.collect::<Vec<_>>());
    for cells in rows {
        text += &row(&cells);
    }
    text
}

/// One line of a table.
pub fn row(cells: &[impl AsRef<str>]) -> String {
    let mut line = String::from("|");
    for cell in cells {
        let cell = cell.as_ref().replace('|', "\\|").replace('\n', " ");
        line += &if cell.is_empty() {
            " |".to_owned()
        } else {
            format!(" {cell} |")
        };
    }
    line + "\n"
}

/// The lines between which a command writes.
#[derive(Clone, Copy)]
pub struct Section {
    pub begin: &'static str,
    pub end: &'static str,
}

impl Section {
    /// What the section holds now. A document without the section is wrong usage.
    pub fn read(&self, document: &Path) -> Result<String, Stop> {
        let text = read(document)?;
        let parts = self.split(&text).ok_or_else(|| self.missing(document))?;
        Ok(parts.1.to_owned())
    }

    pub fn write(&self, document: &Path, body: &str) -> Outcome {
        let text = self.replaced(&read(document)?, body);
        let text = text.ok_or_else(|| self.missing(document))?;
        fs::write(document, text).map_err(failed(document.display()))
    }

    fn replaced(&self, text: &str, body: &str) -> Option<String> {
        let (before, _, after) = self.split(text)?;
        Some(format!("{before}{}\n{body}{}{after}", self.begin, self.end))
    }

    /// The text before, within and after.
    fn split<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str, &'t str)> {
        let (before, rest) = text.split_once(self.begin)?;
        let (within, after) = rest.split_once(self.end)?;
        Some((before, within.strip_prefix('\n')?, after))
    }

    fn missing(&self, document: &Path) -> Stop {
        let Self { begin, end } = self;
        Stop::usage(format!(
            "{}: has no lines {begin} and {end}",
            document.display()
        ))
    }
}

fn read(document: &Path) -> Result<String, Stop> {
    fs::read_to_string(document).map_err(failed(document.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: Section = Section {
        begin: "<!-- a -->",
        end: "<!-- /a -->",
    };

    #[test]
    fn a_document_is_changed_within_its_section_alone() {
        let document = "before\n<!-- a -->\nold\n<!-- /a -->\nafter\n";
        let written = SECTION.replaced(document, "new\n").unwrap();
        assert_eq!(written, "before\n<!-- a -->\nnew\n<!-- /a -->\nafter\n");
        assert_eq!(SECTION.replaced(&written, "new\n"), Some(written));
        assert_eq!(SECTION.replaced("no section", "new"), None);
    }

    #[test]
    fn a_table_is_markdown() {
        let rows = [["a|b", "1", ""].map(str::to_owned).to_vec()];
        assert_eq!(
            table(&["", "n", "verdict"], 1, rows),
            "| | n | verdict |\n| --- | ---: | --- |\n| a\\|b | 1 | |\n"
        );
    }
}
