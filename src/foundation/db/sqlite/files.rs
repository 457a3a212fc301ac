//! The database's files: where they are, and who may read them.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Only the owner reads and writes what holds sessions and password hashes.
const PRIVATE: u32 = 0o600;

/// Reading 8 MiB to the last index takes less than a tenth of a second (`time vestibule db check`).
const LARGE: u64 = 8 * 1024 * 1024;

/// Where the database file is.
#[derive(Clone, Debug)]
pub struct Location {
    path: PathBuf,
    /// It is to be put into a database's place.
    is_copy: bool,
}

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
                "names no file; write sqlite: and a path, like sqlite:vestibule.db".to_owned(),
            );
        }
        let path = PathBuf::from(path);
        // SQLite keeps its WAL beside the file itself, and there is one lock for all its names.
        let path = match path.canonicalize() {
            Ok(file) if path.is_symlink() => file,
            _ => path,
        };
        Ok(Self {
            path,
            is_copy: false,
        })
    }

    /// A file that a backup wrote.
    pub(super) fn of_copy(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            is_copy: true,
        }
    }

    pub(super) fn is_copy(&self) -> bool {
        self.is_copy
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file that belongs to the database, such as `vestibule.db-wal`.
    #[must_use]
    pub fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    }

    /// Whether the file is not there, or nothing is in it.
    pub(super) fn is_lost(&self) -> bool {
        fs::metadata(&self.path).map_or(true, |metadata| metadata.is_file() && metadata.len() == 0)
    }

    /// Whether it takes long to read the whole of it.
    pub(super) fn is_large(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > LARGE)
    }

    /// The whole database in the same folder that was written last, but for this one.
    pub(super) fn newest_copy(&self) -> Option<PathBuf> {
        let copies = fs::read_dir(self.folder()).ok()?.flatten();
        let written = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
        copies
            .map(|entry| entry.path())
            .filter(|path| path.file_name() != self.path.file_name() && is_whole(path))
            .max_by_key(|path| written(path))
    }

    pub(super) fn folder(&self) -> &Path {
        self.path
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
            if mode & !PRIVATE != 0 && restrict(&path)? {
                tracing::warn!(
                    file = %path.display(),
                    "others could read the database (mode {mode:o}); its mode is now {PRIVATE:o}"
                );
            }
        }
        Ok(())
    }
}

/// Makes a file its owner's alone, and says whether it is. Another user's file keeps its mode, as does any
/// on a file system that has none; then nothing better can be done here.
fn restrict(path: &Path) -> io::Result<bool> {
    let tried = fs::set_permissions(path, Permissions::from_mode(PRIVATE));
    if let Err(error) = tried
        && !matches!(
            error.kind(),
            ErrorKind::PermissionDenied | ErrorKind::Unsupported | ErrorKind::ReadOnlyFilesystem
        )
    {
        return Err(error);
    }
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    let is_private = mode & !PRIVATE == 0;
    if !is_private {
        tracing::warn!(
            file = %path.display(),
            "others can read the database (mode {mode:o}), and its mode cannot be changed: let the user who runs \
             Vestibule own it, or, where its file system keeps no modes, mount that with umask=077 or file_mode=0600"
        );
    }
    Ok(is_private)
}

/// The first bytes of every SQLite database: <https://sqlite.org/fileformat2.html>.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Whether a file is a database and none of it is cut off: its head says how many pages it has.
fn is_whole(path: &Path) -> bool {
    let mut head = [0; 32];
    let read = fs::File::open(path).and_then(|mut file| {
        file.read_exact(&mut head)?;
        file.metadata()
    });
    let page = match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65_536,
        bytes => bytes,
    };
    let pages = u64::from(u32::from_be_bytes([head[28], head[29], head[30], head[31]]));
    read.is_ok_and(|file| file.is_file() && head.starts_with(MAGIC) && file.len() >= page * pages)
}

/// Makes an empty file that only its owner reads, whatever the umask.
pub(super) fn create_private(path: &Path) -> io::Result<fs::File> {
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?;
    restrict(path)?;
    Ok(file)
}

/// Makes a rename survive a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}
