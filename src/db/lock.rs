//! One server a database: a lock on a file beside it, which ends with the process that holds it.
//!
//! The same file remembers that there was a database, so that a lost one is not silently
//! replaced by a new, empty one.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::Location;

const REMEMBERED: &str =
    "Vestibule's database stands beside this file. Its lock is held while the server runs.\n";

/// The exclusive right to serve, migrate or replace a database, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    remembers: bool,
}

impl Lock {
    /// Takes the lock; `None` if another process holds it.
    ///
    /// # Errors
    /// The file cannot be made or opened, as in a folder that cannot be written.
    pub fn take(location: &Location) -> io::Result<Option<Self>> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(Self::path(location))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => file.set_permissions(Permissions::from_mode(0o600))?,
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Some(Self {
            file,
            remembers: !text.is_empty(),
        }))
    }

    #[must_use]
    pub fn path(location: &Location) -> PathBuf {
        location.beside(".lock")
    }

    /// Whether a database was made here before.
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.remembers
    }

    /// Remembers that a database was made here.
    pub(super) fn remember(&mut self) -> io::Result<()> {
        if !self.remembers {
            self.file.rewind()?;
            self.file.write_all(REMEMBERED.as_bytes())?;
            self.file.sync_all()?;
            self.remembers = true;
        }
        Ok(())
    }
}
