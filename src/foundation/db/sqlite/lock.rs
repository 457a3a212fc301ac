//! One server a database: a lock on a file beside it, which ends with the process that holds it.
//!
//! The same file remembers that there was a database, so that a lost one is not silently
//! replaced by a new, empty one.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::Location;

const REMEMBERED: &str =
    "Vestibule's database stands beside this file. Its lock is held while the server runs.\n";

/// How long whoever looks at the lock holds it at most, and how often to try again meanwhile.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: u32 = 20;

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
        let mut locked = file.try_lock();
        for _ in 0..LOOKS {
            // Somebody may only look whether it is held.
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            thread::sleep(LOOK);
            locked = file.try_lock();
        }
        match locked {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => {}
        }
        // Not everywhere can a mode be changed; no secret stands here.
        let _ = file.set_permissions(Permissions::from_mode(0o600));
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
    pub fn remembers(location: &Location) -> bool {
        fs::read(Self::path(location)).is_ok_and(|text| !text.is_empty())
    }

    /// Whether a process holds the lock. Another that asks is not in the way.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_held(location: &Location) -> io::Result<bool> {
        let file = match File::open(Self::path(location)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
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
