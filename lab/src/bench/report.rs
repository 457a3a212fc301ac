//! What the parts found, told at the end: to a person, to a script, or into a document.

use std::path::Path;

use serde_json::{Value, json};
use xtask::run::Outcome;

use super::goals::{self, Measured};
use crate::markdown::Section;

/// What one part found.
pub struct Part {
    pub name: &'static str,
    /// Markdown.
    pub text: String,
    pub json: Value,
    pub measured: Vec<Measured>,
}

pub struct Report(pub Vec<Part>);

/// Of the document that the report is written into.
pub const SECTION: Section = Section {
    begin: "<!-- what follows is written by: cargo xtask bench --write docs/performance.md -->",
    end: "<!-- what was written by the bench ends here -->",
};

impl Report {
    pub fn print(&self, json: bool) {
        if json {
            println!("{}", self.json());
        } else {
            print!("{}", self.markdown());
        }
    }

    fn json(&self) -> Value {
        let parts = self
            .0
            .iter()
            .map(|part| (part.name.to_owned(), part.json.clone()));
        let goals: Vec<_> = self.measured().map(Measured::json).collect();
        json!({ "goals": goals, "parts": parts.collect::<serde_json::Map<_, _>>() })
    }

    fn measured(&self) -> impl Iterator<Item = &Measured> {
        self.0.iter().flat_map(|part| &part.measured)
    }

    fn markdown(&self) -> String {
        self.0.iter().map(Part::markdown).collect()
    }

    /// Replaces what earlier runs wrote into the document of the same parts; what they wrote of others stays.
    pub fn write(&self, document: &Path) -> Outcome {
        let earlier = SECTION.read(document)?;
        let mut parts = subsections(&earlier);
        for part in &self.0 {
            let text = part.markdown();
            match parts.iter_mut().find(|(name, _)| *name == part.name) {
                Some((_, earlier)) => *earlier = text,
                None => parts.push((part.name, text)),
            }
        }
        let body: String = parts.into_iter().map(|(_, text)| text).collect();
        SECTION.write(document, &format!("\n{body}"))
    }
}

impl Part {
    /// With its goals.
    fn markdown(&self) -> String {
        let Self { name, text, .. } = self;
        let goals = goals::table(&self.measured);
        format!("{HEADING}{name}\n\n{}\n\n{goals}\n", text.trim_end())
    }
}

const HEADING: &str = "### ";

/// Each with its name and its heading.
fn subsections(section: &str) -> Vec<(&str, String)> {
    let texts = section.split(HEADING).skip(1);
    let names = texts
        .clone()
        .map(|text| text.lines().next().unwrap_or_default());
    names
        .zip(texts.map(|text| format!("{HEADING}{text}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &'static str, text: &str) -> Part {
        Part {
            name,
            text: text.to_owned(),
            json: Value::Null,
            measured: Vec::new(),
        }
    }

    #[test]
    fn parts_that_were_not_measured_again_stay_as_they_were() {
        let document = tempfile::NamedTempFile::new().unwrap();
        let Section { begin, end } = SECTION;
        std::fs::write(document.path(), format!("before\n{begin}\n{end}\nafter")).unwrap();
        let write = |parts| Report(parts).write(document.path()).unwrap();
        write(vec![part("check", "old"), part("cold", "old")]);
        write(vec![part("check", "new"), part("listing", "new")]);
        let written = std::fs::read_to_string(document.path()).unwrap();
        let lines = written
            .lines()
            .filter(|line| ["old", "new"].contains(line) || line.starts_with('#'));
        let expected = ["### check", "new", "### cold", "old", "### listing", "new"];
        assert_eq!(lines.collect::<Vec<_>>(), expected);
        assert!(written.starts_with("before\n") && written.ends_with("\nafter"));
    }
}
