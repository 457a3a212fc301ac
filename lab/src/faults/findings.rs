//! What came of a fault, as a row of a table, on the terminal and in docs/reliability.md.

use xtask::run::{Outcome, Stop, failed, root};

use super::Fault;
use super::checker::{check, check_rows, check_service};
use super::history::History;
use super::nodes::Cluster;
use crate::driver::Instance;
use crate::markdown::{self, Section};

const DOCUMENT: &str = "docs/reliability.md";
const SECTION: Section = Section {
    begin: "<!-- cargo xtask faults --write: begin -->",
    end: "<!-- cargo xtask faults --write: end -->",
};

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
    pub fn aborted(stop: Stop) -> Self {
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

    /// A fault made on purpose, which the checker must find.
    pub fn control(&mut self, caught: bool, what: &str) {
        match caught {
            true => self.figure(format!("control noticed: {what}")),
            false => self.violations.push(format!("control not noticed: {what}")),
        }
    }

    /// Checks a running service; says how many promises are broken.
    pub fn check(&mut self, instance: &Instance, history: &History) -> Result<usize, Stop> {
        let violations = instance
            .client()
            .and_then(|mut client| check(history, &mut client, &instance.database))
            .map_err(failed("the check"))?;
        let count = violations.len();
        self.violations.extend(violations);
        Ok(count)
    }

    /// Checks each of several nodes, and the database that they share.
    pub fn check_nodes(&mut self, cluster: &Cluster, history: &History) -> Result<usize, Stop> {
        let mut violations = Vec::new();
        for instance in cluster.instances() {
            let checked = instance
                .client()
                .and_then(|mut client| check_service(history, &mut client));
            violations.extend(checked.map_err(failed("the check"))?);
        }
        violations.extend(check_rows(history, &cluster.postgres).map_err(failed("the check"))?);
        let count = violations.len();
        self.violations.extend(violations);
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
            print!("{row}");
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
            markdown::row(&cells)
        })
    }

    /// Puts the rows into the document, in place of earlier ones of the same faults.
    pub fn write(&self) -> Outcome {
        let document = root().join(DOCUMENT);
        let rows: Vec<String> = self.lines().collect();
        SECTION.write(&document, &renewed(&SECTION.read(&document)?, &rows))
    }
}

/// The table with these rows added or replaced, in the order of the faults.
fn renewed(table: &str, rows: &[String]) -> String {
    let place = |row: &str| super::FAULTS.iter().position(|fault| fault.id == id(row));
    let old = table
        .split_inclusive('\n')
        .filter(|row| place(row).is_some());
    let old = old.filter(|row| rows.iter().all(|new| id(new) != id(row)));
    let mut all: Vec<&str> = old.chain(rows.iter().map(String::as_str)).collect();
    all.sort_by_key(|row| place(row));
    let head = ["id", "fault", "run", "figures", "verdict"];
    markdown::table(&head, 0, []) + &all.concat()
}

fn id(row: &str) -> &str {
    row.split('|').nth(1).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_row_takes_the_place_of_the_old_one_of_its_fault() {
        let table = "| id |\n| B1 | old |\n| B18 | kept |\n";
        let renewed = renewed(table, &["| B1 | new |\n".to_owned()]);
        assert!(
            renewed.ends_with("| --- |\n| B1 | new |\n| B18 | kept |\n"),
            "{renewed}"
        );
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
        let rows = vec![(&crate::faults::FAULTS[0], findings)];
        let stop = Table { rows, quick: true }.verdict().unwrap_err();
        assert!(stop.reason.ends_with("B1: it broke"), "{}", stop.reason);
    }
}
