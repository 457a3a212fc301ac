//! What clap tells of the arguments: help where it was asked for, otherwise what is wrong with them.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{Command, CommandFactory, Error};

use super::{Cli, output};

/// Prints it; 0 for help that could be printed, 1 for what could not, 2 for wrong usage.
pub fn tell(mut told: Error) -> ExitCode {
    if let Some(tip) = hyphen_tip(&told, std::env::args_os()) {
        told.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    match (told.exit_code(), told.print()) {
        (0, Ok(())) => ExitCode::SUCCESS,
        (0, Err(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        (0, Err(error)) => {
            output::err(&format!("vestibule: {}", output::unwritten(&error)));
            ExitCode::FAILURE
        }
        _ => ExitCode::from(2),
    }
}

/// After an option, clap's own tip (`-- -x`) would make the value an argument of its own.
fn hyphen_tip(told: &Error, arguments: impl Iterator<Item = OsString>) -> Option<StyledStr> {
    let ContextValue::String(wrong) = told.get(ContextKind::InvalidArg)? else {
        return None;
    };
    let arguments: Vec<String> = arguments
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let (option, value) =
        arguments
            .iter()
            .zip(arguments.iter().skip(1))
            .find(|(option, value)| {
                value.starts_with(wrong.as_str()) && takes_value(&Cli::command(), option)
            })?;
    Some(format!("to pass '{value}' as the value of '{option}', write '{option}={value}'").into())
}

/// Whether a command here or below has an option of that name that wants a value.
fn takes_value(command: &Command, option: &str) -> bool {
    let name = option.strip_prefix("--");
    let here = |argument: &clap::Arg| {
        name.is_some() && argument.get_long() == name && argument.get_action().takes_values()
    };
    command.get_arguments().any(here)
        || command
            .get_subcommands()
            .any(|below| takes_value(below, option))
}
