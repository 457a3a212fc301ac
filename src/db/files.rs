//! The database's files: where they are, and who may read them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Only the owner reads and writes what holds sessions and password hashes.
const PRIVATE: u32 = 0o600;

/// Where the database file is.
#[derive(Clone, Debug)]
pub struct Location(PathBuf);

impl Location {
    /// Reads `sqlite:vestibule.db`, `sqlite://vestibule.db` or `sqlite:///var/lib/vestibule.db`.
    ///
    /// # Errors
    /// The address names no file.
    pub fn parse(url: &str) -> Result<Self, String> {
        let path = url.strip_prefix("sqlite:").unwrap_or(url);
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = path.split('?').next().unwrap_or_default();
        if path.is_empty() || path == ":memory:" {
            return Err(
                "database_url: names no file; write sqlite: and a path, like sqlite:vestibule.db"
                    .to_owned(),
            );
        }
        let path = PathBuf::from(path);
        // SQLite keeps its WAL beside the file itself, and there is one lock for all its names.
        if path.is_symlink()
            && let Ok(file) = path.canonicalize()
        {
            return Ok(Self(file));
        }
        Ok(Self(path))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file that belongs to the database, such as `vestibule.db-wal`.
    #[must_use]
    pub fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.0.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    }

    /// Whether the file is not there, or nothing is in it.
    pub(super) fn is_lost(&self) -> bool {
        fs::metadata(&self.0).map_or(true, |metadata| metadata.is_file() && metadata.len() == 0)
    }

    pub(super) fn folder(&self) -> &Path {
        self.0
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
    }

    /// Tightens what others could read, and says so.
    pub(super) fn make_private(&self) -> io::Result<()> {
        for suffix in ["", "-wal", "-shm"] {
            let path = self.beside(suffix);
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            let mode = metadata.permissions().mode() & 0o777;
            if mode & !PRIVATE != 0 {
                fs::set_permissions(&path, Permissions::from_mode(PRIVATE))?;
                tracing::warn!(
                    file = %path.display(),
                    "others could read the database (mode {mode:o}); its mode is now {PRIVATE:o}"
                );
            }
        }
        Ok(())
    }
}

/// Makes an empty file that only its owner reads, whatever the umask.
pub(super) fn create_private(path: &Path) -> io::Result<fs::File> {
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(PRIVATE))?;
    Ok(file)
}

/// Makes a rename survive a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}
