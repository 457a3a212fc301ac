//! The state that a service must have after a history.

use std::collections::HashMap;

use crate::faults::history::{DONE, Event, History, Request};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Live,
    Ended,
    /// Asked to end, and not told whether it did.
    Either,
}

/// The state that a history leaves.
#[derive(Default)]
pub struct Expected {
    pub sessions: HashMap<String, State>,
    pub passwords: HashMap<String, Passwords>,
    /// Used ones, each with its cookie.
    pub tickets: Vec<(String, String)>,
    pub guesses: i64,
    pub first_guess: Option<i64>,
    pub contradictions: Vec<String>,
}

#[derive(Clone)]
pub struct Passwords {
    /// Refused, accepted; if the change was not acknowledged, one or the other.
    pub old: String,
    pub new: String,
    pub acknowledged: bool,
}

impl Expected {
    pub fn of(history: &History) -> Self {
        let mut expected = Self::default();
        for lines in &history.0 {
            for (number, line) in lines.iter().enumerate() {
                match line {
                    Event::Invoke { request, ends, at } => {
                        expected.invoke(request, ends, *at, lines.get(number + 1));
                    }
                    Event::Check { cookie, status } => expected.check(cookie, *status),
                    Event::Answer { .. } => {}
                }
            }
        }
        expected
    }

    fn invoke(&mut self, request: &Request, ends: &[String], at: i64, answer: Option<&Event>) {
        let (status, cookie) = match answer {
            Some(Event::Answer { status, cookie }) => (*status, cookie.clone()),
            _ => (0, None),
        };
        let done = status == DONE;
        for cookie in ends {
            let state = self.sessions.entry(cookie.clone()).or_insert(State::Either);
            match (done, *state) {
                (true, _) => *state = State::Ended,
                (false, State::Live) => *state = State::Either,
                (false, _) => {}
            }
        }
        if let Some(cookie) = cookie.filter(|_| done) {
            self.sessions.insert(cookie, State::Live);
        }
        match request {
            Request::Guess => {
                self.first_guess = Some(self.first_guess.map_or(at, |first| first.min(at)));
                self.guesses += i64::from(status == 401);
                if done {
                    self.contradictions
                        .push("I6: a wrong password signed in".to_owned());
                }
            }
            Request::ChangePassword { user, old, new } => {
                let (old, new) = (old.clone(), new.clone());
                let passwords = Passwords {
                    old,
                    new,
                    acknowledged: done,
                };
                self.passwords.insert(user.clone(), passwords);
            }
            Request::Enter { ticket, flow } => {
                let used = done.then(|| (ticket.clone(), flow.clone()));
                self.tickets.extend(used);
            }
            Request::SignIn | Request::End => {}
        }
    }

    /// While the violation lasted: no answer is no lie, but a wrong one is.
    fn check(&mut self, cookie: &str, status: u16) {
        match (self.sessions.get(cookie), status) {
            (Some(State::Live), 401) => self
                .contradictions
                .push("I1: a live session was answered 401".to_owned()),
            (Some(State::Ended) | None, 200..=299) => self
                .contradictions
                .push(format!("I2: an ended session was answered {status}")),
            _ => {}
        }
    }
}
