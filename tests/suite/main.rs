//! The specification of Vestibule, as tests. `requirements` lists which test holds which requirement.

mod admin_sessions;
mod admin_users;
mod browser;
mod cookies;
mod csrf;
mod devices;
mod docs;
mod flow;
mod forward_auth;
mod headers;
mod pages;
mod panics;
mod parsers;
mod process;
mod redirects;
mod requirements;
mod routes;
mod sessions;
mod support;
