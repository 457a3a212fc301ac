//! What the parts found, told at the end: to a person, to a script, or into a document.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::failed;
use super::goals::{self, Met};
use crate::run::{Outcome, Stop};

/// What one part found.
pub struct Part {
    pub name: &'static str,
    /// Markdown.
    pub text: String,
    pub json: Value,
    pub met: Vec<Met>,
}

pub struct Report(pub Vec<Part>);

const BEGIN: &str =
    "<!-- what follows is written by: cargo xtask bench --write docs/performance.md -->\n";
const END: &str = "<!-- what was written by the bench ends here -->";

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
        let goals = self.0.iter().flat_map(|part| &part.met).map(Met::json);
        json!({ "goals": goals.collect::<Vec<_>>(), "parts": parts.collect::<serde_json::Map<_, _>>() })
    }

    /// The goals first, then the parts in turn.
    fn markdown(&self) -> String {
        let met = self.0.iter().flat_map(|part| &part.met);
        let met: Vec<Met> = met
            .map(|met| Met {
                goal: met.goal,
                figure: met.figure,
            })
            .collect();
        let mut text = String::new();
        for part in &self.0 {
            text += &format!("### {}\n\n{}\n", part.name, part.text.trim_end());
            text.push('\n');
        }
        format!("{text}### Goals\n\n{}\n", goals::table(&met))
    }

    /// Replaces what an earlier run wrote into the document.
    pub fn write(&self, document: &Path) -> Outcome {
        let name = document.to_string_lossy();
        let text = fs::read_to_string(document).map_err(failed(&name))?;
        let text = between_marks(&text, &self.markdown())
            .ok_or_else(|| Stop::usage(format!("{name}: has no marks to write between")))?;
        fs::write(document, text).map_err(failed(&name))
    }
}

fn between_marks(document: &str, report: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{report}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_changed_between_its_marks_alone() {
        let document = format!("before\n{BEGIN}old{END}\nafter\n");
        let written = between_marks(&document, "new\n").unwrap();
        assert_eq!(written, format!("before\n{BEGIN}\nnew\n{END}\nafter\n"));
        assert_eq!(between_marks(&written, "new\n").unwrap(), written);
        assert_eq!(between_marks("no marks", "new"), None);
    }
}
