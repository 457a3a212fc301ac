//! What broke. Expected refusals are outcomes of the use cases; they are not here.

use std::fmt;

use rocket::http::Status;

/// Something failed that should not; whoever asks is answered with an error, never let in.
#[derive(Debug)]
pub enum Error {
    /// The database did not do what it was asked, or not in time.
    Database(sqlx::Error),
    /// All hashing threads are taken and the queue is full.
    Busy,
    /// The system has no thread for hashing.
    Thread(std::io::Error),
    /// A template or its data is at fault.
    Page(rocket_dyn_templates::minijinja::Error),
    /// A stored password hash cannot be read, or the hash could not be computed.
    Hash(argon2::password_hash::Error),
    /// The key that secrets are sealed with is missing or wrong, or a secret does not open.
    Secrets(String),
    /// The session object's data is not what was asked for.
    Data(serde_json::Error),
}

impl Error {
    /// 503 where a later try may succeed, 500 where it will not.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Database(_) | Self::Busy => Status::ServiceUnavailable,
            Self::Thread(_) | Self::Page(_) | Self::Hash(_) | Self::Secrets(_) | Self::Data(_) => {
                Status::InternalServerError
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(f, "database: {error}"),
            Self::Busy => f.write_str("too many passwords to check at once"),
            Self::Thread(error) => write!(f, "a thread for hashing: {error}"),
            Self::Page(error) => write!(f, "page: {error:#}"),
            Self::Hash(error) => write!(f, "password hash: {error}"),
            Self::Secrets(fault) => f.write_str(fault),
            Self::Data(error) => write!(f, "session data: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<rocket_dyn_templates::minijinja::Error> for Error {
    fn from(error: rocket_dyn_templates::minijinja::Error) -> Self {
        Self::Page(error)
    }
}

impl From<argon2::password_hash::Error> for Error {
    fn from(error: argon2::password_hash::Error) -> Self {
        Self::Hash(error)
    }
}

impl From<argon2::password_hash::phc::Error> for Error {
    fn from(error: argon2::password_hash::phc::Error) -> Self {
        Self::Hash(error.into())
    }
}

impl From<argon2::Error> for Error {
    fn from(error: argon2::Error) -> Self {
        Self::Hash(error.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Data(error)
    }
}
