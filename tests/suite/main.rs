//! The specification of Vestibule, as tests. `requirements` lists which test holds which requirement.

mod admin_sessions;
mod admin_users;
mod audit;
mod browser;
mod brute;
mod cookies;
mod csrf;
mod devices;
mod docs;
mod embedding;
mod flow;
mod forward_auth;
mod headers;
mod input;
mod login;
mod pages;
mod panics;
mod parsers;
mod password;
mod process;
mod redirects;
mod requirements;
mod routes;
mod secrets;
mod sessions;
mod support;
