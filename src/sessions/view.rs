//! A session as pages show it, in words and times.

use serde::Serialize;
use uuid::Uuid;

use super::Found;
use crate::foundation::clock::Timestamp;

#[derive(Clone, Debug, Serialize)]
pub struct SessionView {
    id: Uuid,
    user_id: Uuid,
    user_deleted: bool,
    username: String,
    display_name: String,
    device: String,
    user_agent: String,
    address: String,
    methods: String,
    remember: bool,
    /// The session that looks at the page.
    current: bool,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    expires_at: Timestamp,
    ended: Option<End>,
    applications: Vec<String>,
    not_reached: Vec<String>,
}

/// How, when and by whom a session was ended.
#[derive(Clone, Debug, Serialize)]
struct End {
    at: Timestamp,
    how: String,
    by: String,
}

impl SessionView {
    #[must_use]
    pub fn new(found: Found, current: Uuid) -> Self {
        let reason = found.end_reason.unwrap_or_default();
        let by = found.ended_by.unwrap_or_default();
        let ended = found.ended_at.map(|at| End {
            at,
            how: how(&reason).to_owned(),
            by,
        });
        Self {
            id: found.id,
            user_id: found.user_id,
            user_deleted: found.user_deleted,
            username: found.username,
            display_name: found.display_name,
            device: found.device,
            user_agent: found.user_agent,
            address: found.address,
            methods: found.methods.replace(',', ", "),
            remember: found.remember,
            current: found.id == current,
            created_at: found.created_at,
            last_seen_at: found.last_seen_at,
            expires_at: found.expires_at,
            ended,
            applications: found.applications,
            not_reached: found.not_reached,
        }
    }

    /// For the test that renders every page.
    pub(crate) fn samples(text: &str) -> Vec<Self> {
        let at = Timestamp::from_micros(0);
        let live = Self {
            id: Uuid::nil(),
            user_id: Uuid::nil(),
            user_deleted: false,
            username: text.to_owned(),
            display_name: text.to_owned(),
            device: text.to_owned(),
            user_agent: text.to_owned(),
            address: text.to_owned(),
            methods: text.to_owned(),
            remember: true,
            current: true,
            created_at: at,
            last_seen_at: at,
            expires_at: at,
            ended: None,
            applications: vec![text.to_owned(), text.to_owned()],
            not_reached: Vec::new(),
        };
        let end = End {
            at,
            how: text.to_owned(),
            by: text.to_owned(),
        };
        let ended = Self {
            current: false,
            remember: false,
            applications: Vec::new(),
            not_reached: vec![text.to_owned()],
            ended: Some(end),
            ..live.clone()
        };
        let of_deleted = Self {
            user_deleted: true,
            ..ended.clone()
        };
        vec![live, ended, of_deleted]
    }
}

fn how(reason: &str) -> &str {
    match reason {
        "signed_out" => "Signed out",
        "replaced" => "Signed in again",
        "revoked" => "Revoked",
        "idle" => "Not used for too long",
        "max_lifetime" => "Reached its longest life",
        "too_many" => "Made way for a newer one",
        "password_changed" => "Password changed",
        "rights_changed" => "Rights changed",
        "factors_reset" => "Second factors removed",
        "disabled" => "User disabled",
        "user_deleted" => "User deleted",
        other => other,
    }
}
