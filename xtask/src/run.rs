//! Running other programs, step by step, and stopping at the first that fails.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// Why the command ends early, and the exit code it ends with.
#[derive(Debug)]
pub struct Stop {
    pub reason: String,
    pub code: u8,
}

impl Stop {
    pub fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            code: 1,
        }
    }

    /// What was asked for makes no sense.
    pub fn usage(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            code: 2,
        }
    }

    pub fn report(self) -> ExitCode {
        eprintln!("xtask: {}", self.reason);
        ExitCode::from(self.code)
    }
}

pub type Outcome = Result<(), Stop>;

/// Turns an error into a [`Stop`] that says what was being done.
pub fn failed<E: std::fmt::Display>(doing: impl std::fmt::Display) -> impl FnOnce(E) -> Stop {
    move |error| Stop::because(format!("{doing}: {error}"))
}

/// Says what runs, runs it with its output passed through, stops with its exit code if it fails.
pub fn step(command: &mut Command) -> Outcome {
    let line = command_line(command);
    say(&format!("$ {line}"));
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Stop::because(format!("cannot start `{line}`: {error}")))?;
    if status.success() {
        return Ok(());
    }
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Err(Stop {
        reason: format!("`{line}` failed: {status}"),
        code,
    })
}

/// What the program prints; None if it cannot be started or fails.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// To stderr, which is where cargo says what it does.
pub fn say(line: &str) {
    eprintln!("xtask: {line}");
}

/// The workspace's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// The cargo that runs us. What it has told us of xtask is not handed on: build scripts that look at it
/// would run again, and all that depends on them be built again, from one caller to the next.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo.current_dir(root());
    cargo
}

/// The command as a person would type it from the workspace's folder.
pub fn command_line(command: &Command) -> String {
    let name = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let mut line = name.to_string_lossy().into_owned();
    for argument in command.get_args() {
        let _ = write!(line, " {}", shown(argument));
    }
    line
}

fn shown(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    let below_root = text
        .strip_prefix(&*root().to_string_lossy())
        .and_then(|rest| rest.strip_prefix('/'));
    match below_root.unwrap_or(&text) {
        word if word.is_empty() || word.contains(char::is_whitespace) => format!("'{word}'"),
        word => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn a_failing_step_stops_with_its_own_exit_code() {
        assert_eq!(step(&mut shell("exit 7")).unwrap_err().code, 7);
    }

    #[test]
    fn a_step_ended_by_a_signal_stops_with_1() {
        assert_eq!(step(&mut shell("kill -9 $$")).unwrap_err().code, 1);
    }

    #[test]
    fn a_program_that_is_absent_is_named() {
        let stop = step(&mut Command::new("/no/such/program")).unwrap_err();
        assert!(stop.reason.starts_with("cannot start `program`"));
    }

    #[test]
    fn a_command_is_shown_as_it_is_typed() {
        let mut command = Command::new("/usr/bin/npm");
        command
            .arg("--prefix")
            .arg(root().join("tests/browser"))
            .args(["a b", ""]);
        assert_eq!(
            command_line(&command),
            "npm --prefix tests/browser 'a b' ''"
        );
    }
}
