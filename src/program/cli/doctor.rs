use std::path::PathBuf;

use clap::Args;

use super::{Done, Fault, output, with_app};
use crate::foundation::settings::Effective;
use crate::sites::doctor::{Client, Finding, Outcome, Trust, examine};

#[derive(Args)]
pub struct Doctor {
    /// A page of a protected site
    url: String,
    /// Believe certificates of the CA in this PEM file, and no other
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Believe any certificate
    #[arg(long)]
    insecure: bool,
    #[arg(long)]
    json: bool,
}

impl Doctor {
    fn trust(&self) -> Result<Trust, Fault> {
        match &self.ca {
            Some(file) => match std::fs::read(file) {
                Ok(pem) => Ok(Trust::Ca(pem)),
                Err(error) => Err(format!("--ca {}: {error}", file.display()).into()),
            },
            None if self.insecure => Ok(Trust::Anyone),
            None => Ok(Trust::System),
        }
    }
}

pub fn run(doctor: &Doctor, effective: Effective) -> Done {
    let client = Client::new(&doctor.trust()?)?;
    with_app(effective, async |app| {
        let findings = examine(app, &doctor.url, client).await?;
        if doctor.json {
            output::json(&findings)?;
        } else {
            findings.iter().for_each(print);
        }
        let wrong = findings
            .iter()
            .filter(|finding| finding.outcome == Outcome::Wrong);
        match wrong.count() {
            0 => Ok(()),
            1 => Err("one thing is wrong; its cure is told".into()),
            many => Err(
                format!("{many} things are wrong; the first cure may help with the rest").into(),
            ),
        }
    })
}

fn print(finding: &Finding) {
    let mark = match finding.outcome {
        Outcome::Right => "✓",
        Outcome::Wrong => "✗",
        Outcome::Unseen => "?",
    };
    output::say(&format!("{mark} {}\n    {}", finding.title, finding.found));
    if let Some(cure) = &finding.cure {
        output::say(&format!("    → {cure}"));
    }
}
