use serde::Serialize;

use super::Node;

/// What `vestibule db status` shows.
#[derive(Debug, Serialize)]
pub struct Status {
    pub database: String,
    pub bytes: u64,
    pub applied: Vec<i64>,
    pub pending: Vec<i64>,
    pub users: i64,
    pub live_sessions: i64,
    /// Whether a server of Vestibule's runs on it.
    pub served: bool,
    /// What there is to say of a server of PostgreSQL's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerStatus>,
}

/// What `vestibule db status` shows of a server.
#[derive(Debug, Serialize)]
pub struct ServerStatus {
    /// PostgreSQL's own.
    pub version: String,
    /// The nodes that run on it.
    pub nodes: Vec<Node>,
    /// How many standbys follow it just now.
    pub standbys: i64,
    /// Whether a change is acknowledged only when a standby has it, too.
    pub synchronous: bool,
}

/// Whether a commit returns only when a standby has it.
macro_rules! synchronous {
    () => {
        "current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') <> 'local'"
    };
}
#[cfg(feature = "postgres")]
pub(super) use synchronous;

/// A server's version, its standbys, and whether one of them is synchronous.
pub(super) const SERVER: &str = concat!(
    "SELECT current_setting('server_version'), (SELECT count(*) FROM pg_stat_replication), ",
    synchronous!()
);

impl ServerStatus {
    pub(super) fn of(
        (version, standbys, synchronous): (String, i64, bool),
        nodes: Vec<Node>,
    ) -> Self {
        Self {
            version,
            nodes,
            standbys,
            synchronous,
        }
    }

    /// What a fail-over would lose.
    #[must_use]
    pub fn at_failover(&self) -> &'static str {
        match (self.standbys, self.synchronous) {
            (_, true) => "nothing that was acknowledged: a standby has it before the answer",
            (0, false) => "all that is in no backup: no standby is connected",
            (_, false) => {
                "what was acknowledged last, sign-outs among it: no standby is synchronous (set synchronous_standby_names)"
            }
        }
    }
}

/// What is asked of every database for it.
pub(super) const COUNTS: &str =
    "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM sessions WHERE ended_at IS NULL)";
