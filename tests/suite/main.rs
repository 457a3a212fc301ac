//! The specification of Vestibule, as tests. `requirements` lists which test holds which requirement.

mod admin_audit;
mod admin_overview;
mod admin_sessions;
mod admin_users;
mod devices;
mod flow;
mod forward_auth;
mod metrics;
mod panics;
mod process;
mod requirements;
mod support;
