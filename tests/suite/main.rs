//! The specification of Vestibule, as tests. `requirements` lists which test holds which requirement.

mod cookies;
mod csrf;
mod flow;
mod headers;
mod pages;
mod parsers;
mod redirects;
mod requirements;
mod routes;
mod sessions;
mod support;
