//! What the checker asks a service.

use std::io;

use super::history::DONE;
use crate::driver::{Answer, Client};
use crate::library::SITE_COOKIE;

/// A protected host.
pub const SITE: &str = "app.localhost";

/// Each returns the status of the answer.
pub trait Service {
    fn session(&mut self, cookie: &str) -> io::Result<u16>;
    fn sign_in(&mut self, user: &str, password: &str) -> io::Result<u16>;
    /// [`DONE`] if the ticket works.
    fn enter(&mut self, ticket: &str, flow: &str) -> io::Result<u16>;
}

impl Service for Client {
    fn session(&mut self, cookie: &str) -> io::Result<u16> {
        self.session(cookie)
    }

    fn sign_in(&mut self, user: &str, password: &str) -> io::Result<u16> {
        Ok(self.without_cookie().sign_in(user, password)?.status)
    }

    fn enter(&mut self, ticket: &str, flow: &str) -> io::Result<u16> {
        Ok(enter(self.with_cookie(flow), ticket)?.status)
    }
}

/// Goes to the protected host with a ticket, as its proxy passes that on; done if its cookie comes back.
pub fn enter(client: &mut Client, ticket: &str) -> io::Result<Answer> {
    let path = format!("/.vestibule/enter?ticket={ticket}");
    let passed_on = format!("X-Forwarded-Host: {SITE}\r\nX-Forwarded-Proto: http\r\n");
    let answer = client.get_with(&path, &passed_on)?;
    let cookie = client.cookie.split_once('=');
    let entered = cookie.is_some_and(|(name, _)| name == SITE_COOKIE);
    let status = if entered { DONE } else { answer.status };
    Ok(Answer { status, ..answer })
}
