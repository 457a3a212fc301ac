//! The audit trail: who did what, when, from where, and whether it worked.
//!
//! A record commits together with the change it tells of ([`commit`]).

mod filter;
mod id;
mod store;
mod view;

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Tx};
use crate::foundation::error::Error;
use crate::foundation::person::Person;

pub use filter::{Filter, Subject, address, moment, search, until};
pub use id::{first_id_at, new_id_at};
pub use store::{count_sign_ins, list, recent_sign_ins};
pub use view::{EntryView, describe};

/// Texts from outside are cut here; no record can fill the disk.
const MAX_CHARS: usize = 512;

/// Each event once, with its text.
macro_rules! events {
    ($($event:ident $text:literal)*) => {
        /// What happened. The text is what is stored, shown and searched for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        pub enum Event {
            $(#[serde(rename = $text)] $event,)*
        }

        impl Event {
            #[must_use]
            pub fn all() -> &'static [Self] {
                &[$(Self::$event),*]
            }

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$event => $text,)*
                }
            }
        }
    };
}

events! {
    SignIn "sign_in"
    SignOut "sign_out"
    Reauthenticate "reauthenticate"
    Throttle "throttle"
    Setup "setup"
    SessionRevoke "session_revoke"
    PasswordChange "password_change"
    PasswordSet "password_set"
    UserCreate "user_create"
    UserChange "user_change"
    UserDisable "user_disable"
    UserEnable "user_enable"
    DepartureAsk "departure_ask"
    DepartureCancel "departure_cancel"
    DataExport "data_export"
    UserExport "user_export"
    UserDelete "user_delete"
    InvitationAdd "invitation_add"
    InvitationRevoke "invitation_revoke"
    InvitationUse "invitation_use"
    SignUpRequest "sign_up_request"
    SignUp "sign_up"
    DatabaseRestore "database_restore"
    SiteChange "site_change"
    RuleChange "rule_change"
    SecondFactor "second_factor"
    EnrolmentCode "enrolment_code"
    EnrolmentProof "enrolment_proof"
    TotpAdd "totp_add"
    TotpRemove "totp_remove"
    PasskeyAdd "passkey_add"
    PasskeyRename "passkey_rename"
    PasskeyRemove "passkey_remove"
    PasskeyCounterRegressed "passkey_counter_regressed"
    RecoveryCodesNew "recovery_codes_new"
    RecoveryCodeUse "recovery_code_use"
    FactorsReset "factors_reset"
    DeviceTrust "device_trust"
    DeviceDistrust "device_distrust"
    TokenAdd "token_add"
    TokenRevoke "token_revoke"
    ResetRequest "reset_request"
    ResetLink "reset_link"
    PasswordReset "password_reset"
    AddressProof "address_proof"
    AddressChange "address_change"
    AddressUndo "address_undo"
    KeyRotate "key_rotate"
    KeyForget "key_forget"
    ClientAdd "client_add"
    ClientChange "client_change"
    ClientRemove "client_remove"
    ApplicationSignIn "application_sign_in"
    ApplicationDisconnect "application_disconnect"
    CodeReplayed "code_replayed"
    RefreshReplayed "refresh_replayed"
}

impl Event {
    /// `None`: no event is called so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::all()
            .iter()
            .copied()
            .find(|event| event.as_str() == text)
    }
}

/// From where a change was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Web,
    Cli,
    System,
}

/// Who acts: a signed-in user, a visitor, an operator at the command line.
#[derive(Clone, Debug)]
pub struct Actor {
    pub source: Source,
    pub username: Option<String>,
    pub address: Option<IpAddr>,
}

impl Actor {
    /// The operator, whose right is that of the database's file.
    #[must_use]
    pub fn operator() -> Self {
        Self {
            source: Source::Cli,
            username: None,
            address: None,
        }
    }

    #[must_use]
    pub fn visitor(address: IpAddr) -> Self {
        Self {
            source: Source::Web,
            username: None,
            address: Some(address),
        }
    }

    #[must_use]
    pub fn user(user: &impl Person, address: IpAddr) -> Self {
        Self {
            username: Some(user.username().to_owned()),
            ..Self::visitor(address)
        }
    }

    /// For the column "by whom".
    #[must_use]
    pub fn name(&self) -> &str {
        self.username.as_deref().unwrap_or(match self.source {
            Source::Web => "visitor",
            Source::Cli => "command line",
            Source::System => "vestibule",
        })
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Record {
    pub event: Event,
    pub ok: bool,
    /// Whom it concerns; not always who acted.
    pub user_id: Option<Uuid>,
    pub username: Option<String>,
    pub session_id: Option<Uuid>,
    pub detail: Option<String>,
}

impl Record {
    #[must_use]
    pub fn of(event: Event, user: &impl Person) -> Self {
        Self {
            user_id: Some(user.id()),
            username: Some(user.username().to_owned()),
            ..Self::anonymous(event)
        }
    }

    #[must_use]
    pub fn anonymous(event: Event) -> Self {
        Self {
            event,
            ok: true,
            user_id: None,
            username: None,
            session_id: None,
            detail: None,
        }
    }

    #[must_use]
    pub fn refused(self) -> Self {
        Self { ok: false, ..self }
    }

    #[must_use]
    pub fn session(self, id: Uuid) -> Self {
        Self {
            session_id: Some(id),
            ..self
        }
    }

    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}

/// A record as it is listed.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Entry {
    pub id: Uuid,
    pub at: Timestamp,
    pub event: String,
    pub result: String,
    pub source: String,
    pub user_id: Option<Uuid>,
    pub username: Option<String>,
    pub actor: Option<String>,
    pub address: Option<String>,
    pub session_id: Option<Uuid>,
    pub detail: Option<String>,
}

/// Commits a change and what is told of it, then says it in the log.
///
/// # Errors
/// The database failed; neither the change nor the records are there then.
pub async fn commit(
    mut tx: Tx,
    now: Timestamp,
    actor: &Actor,
    records: &[Record],
) -> Result<(), Error> {
    for record in records {
        write(&mut tx, now, actor, record).await?;
    }
    tx.commit().await?;
    for record in records {
        log(actor, record);
    }
    Ok(())
}

async fn write(
    connection: &mut Connection,
    now: Timestamp,
    actor: &Actor,
    record: &Record,
) -> Result<(), Error> {
    let source = match actor.source {
        Source::Web => "web",
        Source::Cli => "cli",
        Source::System => "system",
    };
    let entry = Entry {
        id: new_id_at(now),
        at: now,
        event: record.event.as_str().to_owned(),
        result: if record.ok { "ok" } else { "refused" }.to_owned(),
        source: source.to_owned(),
        user_id: record.user_id,
        username: record.username.as_deref().map(sanitize),
        actor: Some(sanitize(actor.name())),
        address: actor.address.map(|address| address.to_string()),
        session_id: record.session_id,
        detail: record.detail.as_deref().map(sanitize),
    };
    store::insert(connection, &entry).await.map_err(Error::from)
}

fn log(actor: &Actor, record: &Record) {
    tracing::info!(
        target: "vestibule::audit",
        event = record.event.as_str(),
        result = if record.ok { "ok" } else { "refused" },
        user = record.username.as_deref().map(sanitize),
        by = sanitize(actor.name()),
        address = actor.address.map(|address| address.to_string()),
        session = record.session_id.map(|id| id.to_string()),
        detail = record.detail.as_deref().map(sanitize),
    );
}

/// Text from outside as it may stand in a record, a log line or a list: one line, no control or
/// direction-changing characters, of bounded length.
#[must_use]
pub fn sanitize(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || is_invisible(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .take(MAX_CHARS)
        .collect()
}

/// Line and paragraph separators, zero-width characters, and those that turn the direction.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
