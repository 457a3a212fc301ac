//! Where a database is, and what is done with it as a whole: created, copied, looked at.

use std::fmt;
use std::path::{Path, PathBuf};

#[cfg(feature = "postgres")]
use super::postgres;
use super::sqlite::{self, Lock};
use super::{Refused, Status};

/// A file of SQLite's, or a database on a server of PostgreSQL's.
#[derive(Clone, Debug)]
pub enum Location {
    File(sqlite::Location),
    #[cfg(feature = "postgres")]
    Server(Box<postgres::Server>),
}

#[cfg(feature = "postgres")]
impl From<postgres::Server> for Location {
    fn from(server: postgres::Server) -> Self {
        Self::Server(Box::new(server))
    }
}

impl Location {
    /// Reads `sqlite:vestibule.db`, a path, or `postgres://vestibule@db.example.com/vestibule`.
    ///
    /// # Errors
    /// The address names no database; or it names one in a way that is not taken. What is said of it holds no password.
    pub fn parse(url: &str) -> Result<Self, String> {
        match url.split_once(':') {
            Some(("postgres" | "postgresql", _)) => Self::on_server(url),
            Some((scheme, _)) if scheme != "sqlite" && !scheme.contains(['/', '\\', '.']) => {
                // The address may hold a password: only its scheme is repeated.
                Err(format!(
                    "{scheme}: is no database of Vestibule's; write sqlite: and a path, like sqlite:vestibule.db, \
                     or postgres://, like postgres://vestibule@db.example.com/vestibule"
                ))
            }
            _ => sqlite::Location::parse(url).map(Self::File),
        }
    }

    #[cfg(feature = "postgres")]
    fn on_server(url: &str) -> Result<Self, String> {
        postgres::Server::parse(url).map(Self::from)
    }

    #[cfg(not(feature = "postgres"))]
    fn on_server(_: &str) -> Result<Self, String> {
        Err("this build has no PostgreSQL; build it with the feature `postgres`".to_owned())
    }

    /// With the password of `database_password_file`, `database.schema` and `database.confirm`, which a server's takes.
    ///
    /// # Errors
    /// A file takes none of them; or they are not what a server takes. The sentence names the key.
    pub fn with(
        self,
        password: Option<&str>,
        schema: Option<&str>,
        confirm: Option<bool>,
    ) -> Result<Self, String> {
        match self {
            Self::File(_) if password.is_some() || schema.is_some() || confirm.is_some() => Err(
                "database_password_file, database.schema, database.confirm: are for a database_url of PostgreSQL's alone".to_owned(),
            ),
            Self::File(_) => Ok(self),
            #[cfg(feature = "postgres")]
            Self::Server(server) => Ok(server.with(password, schema)?.confirmed(confirm).into()),
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file.path()),
            #[cfg(feature = "postgres")]
            Self::Server(_) => None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.path().display().fmt(f),
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.fmt(f),
        }
    }
}

/// For a command: creates or migrates the database where that is needed.
///
/// # Errors
/// The database that was there is gone, belongs to another program, is newer than this one, or cannot be reached or
/// written; or it needs a migration while a server runs on its file.
pub async fn prepare(location: &Location) -> Result<(), Refused> {
    match location {
        Location::File(file) => sqlite::prepare(file).await,
        #[cfg(feature = "postgres")]
        Location::Server(server) => postgres::prepare(server).await,
    }
}

/// For a server: makes the database ready, and holds the lock of a file, on which one server runs.
///
/// # Errors
/// As [`prepare`]; or another server holds the lock, or the file is damaged.
pub async fn open_for_serving(location: &Location) -> Result<Option<Lock>, Refused> {
    match location {
        Location::File(file) => sqlite::open_for_serving(file).await.map(Some),
        #[cfg(feature = "postgres")]
        Location::Server(server) => {
            postgres::prepare(server).await?;
            server.warn();
            Ok(None)
        }
    }
}

/// # Errors
/// There is no database yet, it is no database of Vestibule's or newer than this program, or it cannot be reached.
pub async fn status(location: &Location) -> Result<Status, Refused> {
    match location {
        Location::File(file) => sqlite::status(file).await,
        #[cfg(feature = "postgres")]
        Location::Server(server) => postgres::status(server).await,
    }
}

/// Reads the whole database and reports what is wrong with it; nothing if it is sound.
///
/// # Errors
/// As [`status`]; or it is too damaged to be read.
pub async fn check(location: &Location) -> Result<Vec<String>, Refused> {
    match location {
        Location::File(file) => sqlite::check(file).await,
        #[cfg(feature = "postgres")]
        Location::Server(server) => postgres::check(server).await,
    }
}

/// Writes a consistent copy to `file`, with every change that was acknowledged before it began.
///
/// # Errors
/// `file` is there already, or cannot be written; then nothing is left behind.
pub async fn backup(location: &Location, file: &Path) -> Result<(), Refused> {
    match location {
        Location::File(location) => sqlite::backup(location, file).await,
        #[cfg(feature = "postgres")]
        Location::Server(server) => postgres::backup(server, file).await,
    }
}

/// Puts the copy `file` in the database's place. A file that is there is kept beside it, under a name with `stamp` in
/// it that is returned.
///
/// # Errors
/// A server runs on the database; `file` is no whole copy of one of Vestibule's, or newer than this program; or there
/// is something in a server's database. Nothing was changed then.
pub async fn restore(
    location: &Location,
    file: &Path,
    stamp: &str,
) -> Result<Option<PathBuf>, Refused> {
    match location {
        Location::File(location) => sqlite::restore(location, file, stamp).await,
        #[cfg(feature = "postgres")]
        Location::Server(server) => postgres::restore(server, file).await.map(|()| None),
    }
}
