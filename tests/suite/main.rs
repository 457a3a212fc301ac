//! The specification of Vestibule, as tests. `requirements` lists which test holds which requirement.

mod audit;
mod brute;
mod embedding;
mod flow;
mod input;
mod login;
mod password;
mod requirements;
mod secrets;
mod support;
