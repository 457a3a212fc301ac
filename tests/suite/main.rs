//! The specification of Vestibule, as tests. `requirements` lists which test holds which requirement.

mod flow;
mod panics;
mod process;
mod requirements;
mod support;
