//! What a command needs on the machine, and making sure that it is there.

use crate::install::{Source, install};
use crate::run::{Outcome, Stop, say};

pub struct Need {
    pub what: &'static str,
    pub why: &'static str,
    pub present: fn() -> bool,
    pub source: Source,
}

/// Says what is missing and why it is needed, then installs it.
pub fn install_missing(needs: &[Need]) -> Outcome {
    let missing = missing(needs);
    for need in &missing {
        say(&format!("missing: {}, {}", need.what, need.why));
    }
    install(&missing.iter().map(|need| &need.source).collect::<Vec<_>>())?;
    still_missing(&missing)
}

/// Names everything that is missing, each with the command that installs it.
pub fn refuse_missing(needs: &[Need]) -> Outcome {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let mut reason = String::from("these are missing, and --no-install forbids installing them:");
    for need in missing {
        reason += &format!(
            "\n  {}, {}\n      {}",
            need.what,
            need.why,
            need.source.command_line()
        );
    }
    Err(Stop::because(reason))
}

fn missing(needs: &[Need]) -> Vec<&Need> {
    needs.iter().filter(|need| !(need.present)()).collect()
}

/// An installer may succeed and yet not bring what was asked: another release's package, say.
fn still_missing(needs: &[&Need]) -> Outcome {
    match needs.iter().find(|need| !(need.present)()) {
        None => Ok(()),
        Some(need) => Err(Stop::because(format!(
            "`{}` ran, but {} is still not there",
            need.source.command_line(),
            need.what
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(present: fn() -> bool) -> Need {
        Need {
            what: "a thing",
            why: "for the test",
            present,
            source: Source::Debian(&["a-package"]),
        }
    }

    #[test]
    fn nothing_is_refused_when_all_is_there() {
        assert!(refuse_missing(&[need(|| true)]).is_ok());
    }

    #[test]
    fn a_refusal_names_the_thing_the_reason_and_the_command() {
        let stop = refuse_missing(&[need(|| true), need(|| false)]).unwrap_err();
        assert_eq!(stop.code, 1);
        assert_eq!(stop.reason.matches("a thing, for the test").count(), 1);
        let stop_says = |part| stop.reason.contains(part);
        assert!(stop_says("install -y --no-install-recommends a-package"));
    }

    #[test]
    fn an_install_that_brings_nothing_is_noticed() {
        let stop = still_missing(&[&need(|| false)]).unwrap_err();
        assert!(stop.reason.ends_with("still not there"));
    }
}
