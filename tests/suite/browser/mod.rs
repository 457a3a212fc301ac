//! A person at a real browser, before the real program.

mod accessibility;
mod admin;
mod applications;
mod chromium;
mod factors;
mod joining;
mod keyboard;
mod large_cache;
mod passkeys;
mod server;
mod sign_in;
mod sites;

pub use chromium::Browser;
pub use server::Server;

use crate::support::PASSWORD;

/// The program and a browser with an address bar, a user and nothing else; `None` where there is no
/// browser to be had.
async fn signed_up() -> Option<(Server, Browser)> {
    let browser = Browser::start().await?;
    let server = Server::start();
    server.command(&["user", "add", "alice", "--password-stdin"], PASSWORD);
    Some((server, browser))
}

/// The same with alice signed in.
async fn signed_in(remember: bool) -> Option<(Server, Browser)> {
    let (server, browser) = signed_up().await?;
    browser.sign_in(&server, "alice", PASSWORD, remember).await;
    browser.arrives_at(&server.url("/account")).await;
    Some((server, browser))
}

/// The same with a second user, keeper, who is an admin and signed in.
async fn kept() -> Option<(Server, Browser)> {
    let (server, browser) = signed_up().await?;
    let keeper = ["user", "add", "keeper", "--admin", "--password-stdin"];
    server.command(&keeper, PASSWORD);
    browser.sign_in(&server, "keeper", PASSWORD, false).await;
    browser.arrives_at(&server.url("/account")).await;
    Some((server, browser))
}

/// Whether a part that the tests need is there: its absence is told, and a failure under `cargo xtask test`.
pub fn required(there: bool, what: &str) -> bool {
    let must = std::env::var_os("TEST_REQUIRE_COMPONENTS").is_some();
    assert!(there || !must, "{what}: not installed");
    if !there {
        eprintln!("skipped: no {what}; `cargo xtask test` installs what is missing");
    }
    there
}
