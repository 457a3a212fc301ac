//! The database's files: where they are, and who may read them.

use std::fs::{self, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Only the owner reads and writes what holds sessions and password hashes.
const PRIVATE: u32 = 0o600;

/// Reading 8 MiB to the last index takes less than a tenth of a second (`time vestibule db check`).
const LARGE: u64 = 8 * 1024 * 1024;

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

    /// Whether it takes long to read the whole of it.
    pub(super) fn is_large(&self) -> bool {
        fs::metadata(&self.0).is_ok_and(|metadata| metadata.len() > LARGE)
    }

    /// The database in the same folder that was written last, but for this one.
    pub(super) fn newest_copy(&self) -> Option<PathBuf> {
        let copies = fs::read_dir(self.folder()).ok()?.flatten();
        let written = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
        copies
            .map(|entry| entry.path())
            .filter(|path| path.file_name() != self.0.file_name() && is_database(path))
            .max_by_key(|path| written(path))
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

/// The first bytes of every SQLite database: <https://sqlite.org/fileformat2.html>.
const MAGIC: [u8; 16] = *b"SQLite format 3\0";

fn is_database(path: &Path) -> bool {
    let mut first = [0; MAGIC.len()];
    path.is_file()
        && fs::File::open(path)
            .and_then(|mut file| file.read_exact(&mut first))
            .is_ok_and(|()| first == MAGIC)
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
