//! What a user does: each action is one or two requests.

use std::io;

use rand::Rng;

use super::{ADMIN, User};
use crate::driver::{Client, PASSWORD};
use crate::faults::history::{DONE, Request};
use crate::faults::service::{SITE, enter};
use crate::library::seeding;

const OTHER_PASSWORD: &str = "staple battery horse";

impl User<'_> {
    pub fn sign_in(&mut self) -> io::Result<()> {
        let password = self.password.unwrap_or(PASSWORD);
        let user = self.user.clone();
        self.send(Request::SignIn, Vec::new(), "", |client| {
            client.sign_in(&user, password)
        })?;
        Ok(())
    }

    /// In the browser of a session, which ends with it.
    pub fn sign_in_again(&mut self) -> io::Result<()> {
        let Some(cookie) = self.any_cookie() else {
            return self.sign_in();
        };
        let (user, password) = (self.user.clone(), self.password.unwrap_or(PASSWORD));
        let ends = vec![cookie.clone()];
        self.send(Request::SignIn, ends, &cookie, |client| {
            client.sign_in(&user, password)
        })?;
        Ok(())
    }

    pub fn sign_out(&mut self) -> io::Result<()> {
        let Some(cookie) = self.any_cookie() else {
            return self.sign_in();
        };
        let ends = vec![cookie.clone()];
        self.send(Request::End, ends, &cookie, |client| {
            client.post("/logout", "")
        })?;
        Ok(())
    }

    /// One session from another of the user's.
    pub fn revoke(&mut self) -> io::Result<()> {
        let (Some(from), Some(cookie)) = (self.any_cookie(), self.any_cookie()) else {
            return self.sign_in();
        };
        if from == cookie {
            return Ok(());
        }
        let Some(id) = self.id_of(&cookie, "session")? else {
            return Ok(());
        };
        let path = format!("/account/sessions/{id}/revoke");
        self.send(Request::End, vec![cookie], &from, |client| {
            client.post(&path, "")
        })?;
        Ok(())
    }

    pub fn guess(&mut self) -> io::Result<()> {
        let user = self.user.clone();
        let guess = |client: &mut Client| client.sign_in(&user, "a wrong pass phrase");
        self.send(Request::Guess, Vec::new(), "", guess)?;
        Ok(())
    }

    /// To a protected site, which nobody can follow with the same ticket.
    pub fn enter(&mut self) -> io::Result<()> {
        let Some(cookie) = self.any_cookie() else {
            return self.sign_in();
        };
        let mut secret = [0; 32];
        self.rng.fill_bytes(&mut secret);
        let (flow, hash) = seeding::token(secret);
        let hash = <[u8; 32]>::try_from(hash).map(|hash| seeding::token(hash).0);
        let flow = format!("vestibule-flow={flow}");
        let path = format!(
            "/login?rd=http%3A%2F%2F{SITE}%2F&flow={}",
            hash.unwrap_or_default()
        );
        let location = self.client(&cookie)?.get(&path)?.location;
        let Some((_, ticket)) = location.split_once("ticket=") else {
            return Ok(());
        };
        let ticket = ticket.to_owned();
        let request = Request::Enter {
            ticket: ticket.clone(),
            flow: flow.clone(),
        };
        self.send(request, Vec::new(), &flow, |client| enter(client, &ticket))?;
        Ok(())
    }

    /// Ends all sessions of the user, and goes on with a new secret.
    pub fn change_password(&mut self) -> io::Result<()> {
        let (Some(old), Some(cookie)) = (self.password, self.any_cookie()) else {
            return self.sign_in();
        };
        let new = if old == PASSWORD {
            OTHER_PASSWORD
        } else {
            PASSWORD
        };
        let request = Request::ChangePassword {
            user: self.user.clone(),
            old: old.to_owned(),
            new: new.to_owned(),
        };
        let fields = format!("current_password={old}&new_password={new}").replace(' ', "+");
        self.password = None;
        let change = |client: &mut Client| client.post("/account/password", &fields);
        let status = self.send(request, self.cookies.clone(), &cookie, change)?;
        self.password = match status {
            DONE => Some(new),
            // Not this one's fault: it was refused before anything was done.
            401 | 403 => Some(old),
            _ => None,
        };
        Ok(())
    }

    /// After a change in doubt, here or in an earlier round.
    pub fn find_password(&mut self) -> io::Result<()> {
        for password in [PASSWORD, OTHER_PASSWORD] {
            self.password = Some(password);
            let before = self.cookies.len();
            self.sign_in()?;
            if self.cookies.len() > before {
                return Ok(());
            }
        }
        self.password = None;
        Ok(())
    }

    /// An admin disables the user, which ends all of the user's sessions, and enables the user again.
    pub fn disable(&mut self) -> io::Result<()> {
        let Some(cookie) = self.any_cookie() else {
            return self.sign_in();
        };
        let Some(id) = self.id_of(&cookie, "user")? else {
            return Ok(());
        };
        let mut admin = self.nodes[self.at].client()?;
        if admin.sign_in(ADMIN, PASSWORD)?.status != DONE {
            return Ok(());
        }
        let admin = admin.cookie;
        let ends = self.cookies.clone();
        let path = format!("/admin/users/{id}/disable");
        self.send(Request::End, ends, &admin, |client| client.post(&path, ""))?;
        let path = format!("/admin/users/{id}/enable");
        self.send(Request::End, Vec::new(), &admin, |client| {
            client.post(&path, "")
        })?;
        Ok(())
    }
}
