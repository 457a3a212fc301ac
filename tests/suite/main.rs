//! The specification of Vestibule, as tests. `requirements` lists which test holds which requirement.

mod admin_sessions;
mod admin_users;
mod browser;
mod devices;
mod docs;
mod flow;
mod forward_auth;
mod requirements;
mod support;
