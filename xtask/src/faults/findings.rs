//! What came of a fault, as a row of a table, on the terminal and in docs/reliability.md.

use std::fs;

use super::Fault;
use super::judge::judge;
use super::ledger::Ledger;
use super::machine::Machine;
use crate::bench::failed;
use crate::run::{Outcome, Stop, root};

const DOCUMENT: &str = "docs/reliability.md";
const BEGIN: &str = "<!-- cargo xtask faults --write: begin -->\n";
const END: &str = "<!-- cargo xtask faults --write: end -->\n";

#[derive(Debug, Default)]
pub struct Findings {
    pub figures: Vec<String>,
    /// Promises that were broken.
    pub violations: Vec<String>,
    /// Why it could not be tried here. That is no success.
    pub not_run: Option<String>,
}

impl Findings {
    pub fn not_run(because: impl Into<String>) -> Self {
        Self {
            not_run: Some(because.into()),
            ..Self::default()
        }
    }

    /// A service that cannot even be asked keeps no promise.
    pub fn broken_off(stop: Stop) -> Self {
        Self {
            violations: vec![format!("it could not be finished: {}", stop.reason)],
            ..Self::default()
        }
    }

    pub fn figure(&mut self, figure: impl Into<String>) {
        self.figures.push(figure.into());
    }

    /// A violation unless it holds.
    pub fn require(&mut self, holds: bool, otherwise: impl Into<String>) {
        if !holds {
            self.violations.push(otherwise.into());
        }
    }

    /// A fault made on purpose; a judge who does not find it is none.
    pub fn control(&mut self, caught: bool, what: &str) {
        match caught {
            true => self.figure(format!("control noticed: {what}")),
            false => self.violations.push(format!("control not noticed: {what}")),
        }
    }

    /// Lets the judge hold a running service to a ledger; says how many faults there are.
    pub fn judge(&mut self, machine: &Machine, ledger: &Ledger) -> Result<usize, Stop> {
        let faults = machine
            .client()
            .and_then(|mut client| judge(ledger, &mut client, &machine.database()))
            .map_err(failed("the judge"))?;
        let count = faults.len();
        self.violations.extend(faults);
        Ok(count)
    }

    fn verdict(&self) -> String {
        match (&self.not_run, self.violations.len()) {
            (Some(because), _) => format!("not run, because {because}"),
            (None, 0) => "held".to_owned(),
            (None, count) => format!("VIOLATED, {count} times: {}", self.violations[0]),
        }
    }
}

/// The rows of a run.
pub struct Table {
    pub rows: Vec<(&'static Fault, Findings)>,
    pub quick: bool,
}

impl Table {
    pub fn print(&self) {
        for row in self.lines() {
            println!("{row}");
        }
    }

    /// Each violation in full, and an error if there is one.
    pub fn verdict(&self) -> Outcome {
        let broken = self.rows.iter().flat_map(|(fault, findings)| {
            let violations = findings.violations.iter();
            violations.map(move |violation| format!("{}: {violation}", fault.id))
        });
        let broken: Vec<String> = broken.collect();
        let not_run = self
            .rows
            .iter()
            .filter(|(_, findings)| findings.not_run.is_some());
        let not_run = not_run.count();
        if broken.is_empty() {
            println!("{} held, {not_run} not run", self.rows.len() - not_run);
            return Ok(());
        }
        Err(Stop::because(format!(
            "promises were broken:\n  {}",
            broken.join("\n  ")
        )))
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let how = if self.quick { "quick" } else { "full" };
        self.rows.iter().map(move |(fault, findings)| {
            let figures = findings.figures.join("; ");
            let cells = [fault.id, fault.what, how, &figures, &findings.verdict()];
            format!("| {} |", cells.map(in_cell).join(" | "))
        })
    }

    /// Puts the rows into the document, in place of earlier ones of the same faults.
    pub fn write(&self) -> Outcome {
        let path = root().join(DOCUMENT);
        let text = fs::read_to_string(&path).map_err(failed(DOCUMENT))?;
        let text = renewed(&text, &self.lines().collect::<Vec<_>>())
            .ok_or_else(|| Stop::because(format!("{DOCUMENT}: has no place for the table")))?;
        fs::write(&path, text).map_err(failed(DOCUMENT))
    }
}

fn in_cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The document with these rows between its marks, in the order of the faults.
fn renewed(text: &str, rows: &[String]) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (table, after) = rest.split_once(END)?;
    let place = |row: &str| super::FAULTS.iter().position(|fault| fault.id == id(row));
    let old = table.lines().filter(|row| place(row).is_some());
    let old = old.filter(|row| rows.iter().all(|new| id(new) != id(row)));
    let mut all: Vec<&str> = old.chain(rows.iter().map(String::as_str)).collect();
    all.sort_by_key(|row| place(row));
    let table = all.join("\n");
    Some(format!(
        "{before}{BEGIN}| id | fault | run | figures | verdict |\n| --- | --- | --- | --- | --- |\n{table}\n{END}{after}"
    ))
}

fn id(row: &str) -> &str {
    row.split('|').nth(1).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_row_takes_the_place_of_the_old_one_of_its_fault() {
        let text = format!("a\n{BEGIN}| id |\n| B1 | old |\n| B18 | kept |\n{END}b\n");
        let renewed = renewed(&text, &["| B1 | new |".to_owned()]).expect("marks");
        assert!(renewed.starts_with("a\n") && renewed.ends_with("b\n"));
        assert!(
            renewed.contains("| B1 | new |\n| B18 | kept |\n"),
            "{renewed}"
        );
        assert!(!renewed.contains("old"), "{renewed}");
    }

    #[test]
    fn what_was_not_run_has_not_held() {
        let verdict = Findings::not_run("there is no disk").verdict();
        assert_eq!(verdict, "not run, because there is no disk");
    }

    #[test]
    fn a_violation_fails_the_run() {
        let mut findings = Findings::default();
        findings.require(false, "it broke");
        let rows = vec![(&super::super::FAULTS[0], findings)];
        let stop = Table { rows, quick: true }.verdict().unwrap_err();
        assert!(stop.reason.ends_with("B1: it broke"), "{}", stop.reason);
    }
}
