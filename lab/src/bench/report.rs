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

    /// The parts in turn, then the goals.
    fn markdown(&self) -> String {
        let parts = self.0.iter();
        let parts = parts.map(|part| format!("### {}\n\n{}\n\n", part.name, part.text.trim_end()));
        let goals = goals::table(self.measured());
        format!("{}### Goals\n\n{goals}\n", parts.collect::<String>())
    }

    /// Replaces what an earlier run wrote into the document.
    pub fn write(&self, document: &Path) -> Outcome {
        SECTION.write(document, &format!("\n{}", self.markdown()))
    }
}
