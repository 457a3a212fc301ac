//! What only the program has: its command line, its listener, its own site.

pub mod cli;
pub mod listener;
pub mod site;
