use crate::run::Outcome;
use clap::Args;
/// x
#[derive(Args)]
pub struct Bench {}
impl Bench {
    pub fn run(&self) -> Outcome {
        Ok(())
    }
}
