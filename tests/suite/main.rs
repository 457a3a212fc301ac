//! The specification of Vestibule, as tests. `requirements` lists which test holds which requirement.

mod admin_audit;
mod admin_overview;
mod flow;
mod metrics;
mod requirements;
mod support;
