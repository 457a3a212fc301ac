//! What a file has, and what is wrong with it: told at once, whoever finds it.

use std::path::Path;

use crate::people::users::{Entry, Fault};

/// Lines that are told of; whoever has more wrong mends these first.
const MOST_FAULTS: usize = 50;

/// What a file has. A user with a fault is in it as well, as far as it can be read, so that the rest of it is looked at.
pub struct Read<T = Entry> {
    pub entries: Vec<T>,
    pub faults: Vec<Fault>,
    /// What is not taken, though all else is.
    pub left_out: Vec<Fault>,
}

impl<T> Default for Read<T> {
    fn default() -> Self {
        Self::faulty(Vec::new())
    }
}

impl<T> Read<T> {
    pub fn faulty(faults: Vec<Fault>) -> Self {
        Self {
            entries: Vec::new(),
            faults,
            left_out: Vec::new(),
        }
    }

    pub fn of_lines(lines: impl Iterator<Item = Result<T, Fault>>) -> Self {
        let mut read = Self::default();
        for line in lines {
            match line {
                Ok(entry) => read.entries.push(entry),
                Err(fault) => read.faults.push(fault),
            }
        }
        read
    }

    /// # Errors
    /// There is nothing to add.
    pub fn or_nothing(self, file: &Path, what: &str) -> Result<Self, String> {
        match (self.entries.is_empty(), self.faults.is_empty()) {
            (false, _) => Ok(self),
            (true, true) => Err(format!("{}: there is no {what} in it", file.display())),
            (true, false) => Err(told(file, self.faults)),
        }
    }
}

/// What was added, unless there is a fault: of the reading, or of what is there already.
///
/// # Errors
/// There is one.
pub fn all_right<T>(
    file: &Path,
    mut faults: Vec<Fault>,
    done: Result<T, Vec<Fault>>,
) -> Result<T, String> {
    match done {
        Ok(added) if faults.is_empty() => return Ok(added),
        Ok(_) => {}
        Err(more) => faults.extend(more),
    }
    Err(told(file, faults))
}

/// Each line that is wrong, in order, as far as a person reads on.
fn told(file: &Path, mut faults: Vec<Fault>) -> String {
    faults.sort_by_key(|fault| fault.line);
    let lines = faults.iter().take(MOST_FAULTS);
    let mut text: String = lines
        .map(|Fault { line, text }| format!("{}:{line}: {text}\n", file.display()))
        .collect();
    if faults.len() > MOST_FAULTS {
        text += &format!("and {} more\n", faults.len() - MOST_FAULTS);
    }
    text + "nothing was imported"
}
