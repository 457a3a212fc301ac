//! A record as pages show it.

use serde::Serialize;
use uuid::Uuid;

use super::Entry;
use crate::foundation::clock::Timestamp;

#[derive(Clone, Debug, Serialize)]
pub struct EntryView {
    at: Timestamp,
    event: String,
    event_text: String,
    ok: bool,
    username: Option<String>,
    user_id: Option<Uuid>,
    actor: Option<String>,
    source: String,
    address: Option<String>,
    session_id: Option<Uuid>,
    detail: Option<String>,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            at: entry.at,
            event_text: describe(&entry.event).to_owned(),
            event: entry.event,
            ok: entry.result == "ok",
            username: entry.username,
            user_id: entry.user_id,
            actor: entry.actor,
            source: entry.source,
            address: entry.address,
            session_id: entry.session_id,
            detail: entry.detail,
        }
    }
}

impl EntryView {
    /// For the test that renders every page.
    pub(crate) fn samples(text: &str) -> Vec<Self> {
        let entry = |result: &str| Entry {
            id: Uuid::nil(),
            at: Timestamp::from_micros(0),
            event: text.to_owned(),
            result: result.to_owned(),
            source: "web".to_owned(),
            user_id: Some(Uuid::nil()),
            username: Some(text.to_owned()),
            actor: Some(text.to_owned()),
            address: Some(text.to_owned()),
            session_id: Some(Uuid::nil()),
            detail: Some(text.to_owned()),
        };
        vec![entry("ok").into(), entry("refused").into()]
    }
}

/// An event as people call it.
#[must_use]
pub fn describe(event: &str) -> &str {
    match event {
        "sign_in" => "Sign-in",
        "sign_out" => "Sign-out",
        "reauthenticate" => "Password asked again",
        "throttle" => "Too many tries",
        "setup" => "First admin made",
        "session_revoke" => "Session revoked",
        "password_change" => "Password changed",
        "password_set" => "Password set",
        "user_create" => "User added",
        "user_change" => "User changed",
        "user_disable" => "User disabled",
        "user_enable" => "User enabled",
        "user_delete" => "User deleted",
        "invitation_add" => "Invitation made",
        "invitation_revoke" => "Invitation revoked",
        "invitation_use" => "Account made by an invitation",
        "sign_up_request" => "Sign-up mail asked for",
        "sign_up" => "Account made by signing up",
        "database_restore" => "Database restored",
        "site_change" => "Site changed",
        "rule_change" => "Rule changed",
        "second_factor" => "Second step",
        "enrolment_code" => "Code for a first factor asked for",
        "enrolment_proof" => "Code for a first factor entered",
        "totp_add" => "Authenticator app added",
        "totp_remove" => "Authenticator app removed",
        "passkey_add" => "Passkey added",
        "passkey_rename" => "Passkey renamed",
        "passkey_remove" => "Passkey removed",
        "passkey_counter_regressed" => "Passkey may be a copy",
        "recovery_codes_new" => "New recovery codes",
        "recovery_code_use" => "Recovery code used",
        "factors_reset" => "Second factors removed",
        "device_trust" => "Device trusted",
        "device_distrust" => "Device no longer trusted",
        "token_add" => "App token added",
        "token_revoke" => "App token revoked",
        "reset_request" => "Password mail asked for",
        "reset_link" => "Password link made",
        "password_reset" => "Password set by a link",
        "address_proof" => "Address to be confirmed",
        "address_change" => "Address confirmed",
        "address_undo" => "Change of address taken back",
        "key_rotate" => "Key changed",
        "key_forget" => "Old key forgotten",
        "client_add" => "Application added",
        "client_change" => "Application changed",
        "client_remove" => "Application removed",
        "application_sign_in" => "Sign-in to an application",
        "application_disconnect" => "Application disconnected",
        "code_replayed" => "Code of an application used twice",
        "refresh_replayed" => "Refresh token used twice",
        other => other,
    }
}
