//! The specification of Vestibule, as tests. `requirements` lists which test holds which requirement.

mod brute;
mod flow;
mod login;
mod password;
mod requirements;
mod support;
