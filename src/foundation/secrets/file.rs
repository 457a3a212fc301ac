//! The key file: a line of base64 for each key, the first one for new secrets.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{KEY_BYTES, Key, Keys};
use crate::foundation::settings::Secret;

/// Reads the keys of a file that is nobody else's to read.
pub(super) fn read(path: &Path) -> Result<Keys, String> {
    if !path.exists() {
        return Err(format!(
            "secrets.key_file: {0} is missing, and the database has secrets that are sealed with its key; \
             put it back from where you keep it, or, if it is lost for good, see `vestibule key forget --help`",
            path.display()
        ));
    }
    let text = Secret::read(path).map_err(|fault| format!("secrets.key_file: {fault}"))?;
    parse(text.reveal()).map_err(|fault| format!("secrets.key_file: {} {fault}", path.display()))
}

/// Reads keys, a line each.
pub(super) fn parse(text: &str) -> Result<Keys, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys = lines.map(key).collect::<Result<Vec<_>, _>>()?;
    let ids: BTreeSet<i64> = keys.iter().map(|key| key.id).collect();
    if keys.is_empty() {
        Err("is empty".to_owned())
    } else if ids.len() < keys.len() {
        Err("has a key twice".to_owned())
    } else {
        Ok(Keys(keys))
    }
}

fn key(line: &str) -> Result<Key, String> {
    let bytes = STANDARD.decode(line).map(Zeroizing::new).ok();
    let bytes: Option<[u8; KEY_BYTES]> = bytes.and_then(|bytes| bytes.as_slice().try_into().ok());
    match bytes {
        Some(bytes) if bytes.iter().all(|byte| *byte == bytes[0]) => {
            Err("has a key that anybody guesses".to_owned())
        }
        Some(bytes) => Ok(Key::of(Zeroizing::new(bytes))),
        None => Err("is not 32 bytes in base64 on each line".to_owned()),
    }
}

/// Makes a file with one new key. One that is there stays as it is.
pub(super) fn make_if_missing(path: &Path) -> Result<(), String> {
    if path.exists() {
        return Ok(());
    }
    match write_new(path, &new_line()) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(format!("secrets.key_file: {}: {error}", path.display()))
        }
        _ => {
            tracing::info!(path = %path.display(), "made the key that secrets are sealed with: keep a copy apart from the database's backups");
            Ok(())
        }
    }
}

/// Puts a new key before the ones that are there, which stay.
pub(super) fn prepend(path: &Path) -> Result<(), String> {
    let old = Secret::read(path)?;
    replace(
        path,
        &format!("{}{}\n", *new_line(), old.reveal().trim_end()),
    )
}

/// Takes a key out.
pub(super) fn remove(path: &Path, id: i64) -> Result<(), String> {
    let old = Secret::read(path)?;
    let kept = old
        .reveal()
        .lines()
        .filter(|line| key(line.trim()).is_ok_and(|key| key.id != id));
    let text: String = kept.map(|line| format!("{line}\n")).collect();
    replace(path, &text)
}

fn new_line() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *bytes).expect("the operating system gives random bytes");
    Zeroizing::new(format!("{}\n", STANDARD.encode(*bytes)))
}

impl std::fmt::Display for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<String> = self.0.iter().map(|key| super::name(key.id)).collect();
        f.write_str(&ids.join(" "))
    }
}

/// The old file is there until the new one is on the disk.
fn replace(path: &Path, text: &str) -> Result<(), String> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let told = |error: io::Error| format!("secrets.key_file: {}: {error}", path.display());
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(told(error)),
        _ => {}
    }
    write_new(beside, text).map_err(told)?;
    fs::rename(beside, path).map_err(told)?;
    sync_folder(path).map_err(told)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        parse(text).map(|keys| keys.to_string()).expect_err(text)
    }

    #[test]
    fn key_01_what_is_no_key_is_told_in_words() {
        let line = |byte: u8, count: usize| {
            STANDARD.encode(
                (0..count)
                    .map(|n| byte.wrapping_add(n as u8))
                    .collect::<Vec<_>>(),
            )
        };
        assert!(fault("").contains("is empty"));
        assert!(fault("\n \n").contains("is empty"));
        assert!(fault(&line(1, 31)).contains("32 bytes"));
        assert!(fault(&line(1, 33)).contains("32 bytes"));
        assert!(fault("not base64").contains("32 bytes"));
        assert!(fault(&STANDARD.encode([0; 32])).contains("guesses"));
        assert!(fault(&format!("{0}\n{0}", line(1, 32))).contains("twice"));
        let two = parse(&format!("{}\n{}\n", line(1, 32), line(2, 32))).expect("two keys");
        assert_eq!(two.0.len(), 2);
    }

    #[test]
    fn a_key_is_put_first_and_taken_out_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vestibule.key");
        make_if_missing(&path).expect("a file");
        let first = read(&path).expect("a key").0[0].id;
        prepend(&path).expect("a second key");
        let both = read(&path).expect("keys");
        assert_eq!(both.0.len(), 2);
        assert_eq!(both.0[1].id, first);
        remove(&path, first).expect("a file");
        let left = read(&path).expect("a key");
        assert_eq!(left.0.len(), 1);
        assert_ne!(left.0[0].id, first);
    }
}
