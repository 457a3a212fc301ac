//! The specification of Vestibule, as tests. `requirements` lists which test holds which requirement.

mod admin_sessions;
mod admin_users;
mod cookies;
mod csrf;
mod devices;
mod flow;
mod forward_answers;
mod forward_auth;
mod forward_cookies;
mod forward_decision;
mod forward_domain;
mod forward_headers;
mod forward_past_flaws;
mod forward_redirects;
mod forward_sites;
mod forward_tickets;
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
