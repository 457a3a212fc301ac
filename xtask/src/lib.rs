//! What the commands of xtask and of the lab share: programs run step by step, and what is missing installed.

pub mod install;
pub mod need;
pub mod run;
