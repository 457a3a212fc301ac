use std::path::PathBuf;

use clap::Args;

use super::{Done, Fault, output, with_app};
use crate::admin;
use crate::foundation::settings::Effective;
use crate::sites::doctor::{Client, Finding, Outcome, Trust, examine};

#[derive(Args)]
pub struct Doctor {
    /// A page of a protected site, or the sign-in host, to see what applications find there
    url: String,
    /// Look at this path of the site, too; may be given more than once
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
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
        let issuer = admin::issuer(app).await?;
        let findings = examine(app, &doctor.url, &doctor.paths, client, issuer).await?;
        if doctor.json {
            output::json(&findings)?;
        } else {
            findings.iter().try_for_each(print)?;
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

fn print(finding: &Finding) -> Done {
    let mark = match finding.outcome {
        Outcome::Right => "✓",
        Outcome::Wrong => "✗",
        Outcome::Unseen => "?",
    };
    let cure = finding.cure.as_ref();
    let cure = cure
        .map(|cure| format!("\n    → {cure}"))
        .unwrap_or_default();
    output::say(&format!(
        "{mark} {}\n    {}{cure}",
        finding.title, finding.found
    ))
}
