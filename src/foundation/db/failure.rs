//! Failures that no retry repairs: from then on nothing is written until the next start, and the service is
//! not ready.

use std::fmt;

use sqlx::error::DatabaseError as _;
use sqlx::sqlite::SqliteError;

/// Why nothing is written any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseFailure {
    /// The disk failed while a change was made to last: it may be there or not, and what the system
    /// still shows of it may never reach the disk. To try again would tell a lie
    /// (<https://www.sqlite.org/rescode.html#ioerr_fsync>).
    Unsynced,
    /// A page of the database is not what was written there.
    Damaged,
}

/// The system took no more, as a disk does that is full or has become read-only: a write was refused, or
/// the WAL's index could not grow. Nothing of the change counts.
const REFUSED: [i32; 2] = [778, 4874];

/// An index for searches that is out of step with its table: `SQLITE_CORRUPT_VTAB`. It can be made anew, and no page is damaged.
const INDEX_OUT_OF_STEP: i32 = 267;

impl DatabaseFailure {
    pub(super) fn of(error: &sqlx::Error) -> Option<Self> {
        #[cfg(feature = "postgres")]
        if is_damage_at_postgres(error) {
            return Some(Self::Damaged);
        }
        match code(error).filter(|code| *code != INDEX_OUT_OF_STEP)? & 0xff {
            11 | 26 => Some(Self::Damaged),
            _ => None,
        }
    }

    pub(super) fn of_commit(error: &sqlx::Error) -> Option<Self> {
        match code(error)? {
            code if REFUSED.contains(&code) => None,
            code if code & 0xff == 10 => Some(Self::Unsynced),
            _ => Self::of(error),
        }
    }
}

impl fmt::Display for DatabaseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsynced => {
                "the disk failed while a change was written; nothing more is written before a restart. Look at the \
                 disk (dmesg), start Vestibule again, then run `vestibule db check`"
            }
            Self::Damaged => {
                "the database is damaged; nothing more is written. Stop Vestibule, run `vestibule db check`, and \
                 restore a backup with `vestibule db restore FILE`"
            }
        })
    }
}

pub(super) fn is_read_only(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code & 0xff == 8)
}

/// Its progress handler, or whoever interrupts it, told SQLite to stop.
pub(super) fn is_interrupted(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code & 0xff == 9)
}

/// SQLite's extended result code: <https://sqlite.org/rescode.html>. `None` for other engines, some of whose
/// codes are numbers, too.
pub(super) fn code(error: &sqlx::Error) -> Option<i32> {
    let error = error.as_database_error()?;
    error
        .try_downcast_ref::<SqliteError>()?
        .code()?
        .parse()
        .ok()
}

/// A file of the server's, or an index, is not what was written there:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>, class XX.
#[cfg(feature = "postgres")]
fn is_damage_at_postgres(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    let error = error.and_then(|error| error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>());
    error.is_some_and(|error| ["XX001", "XX002"].contains(&error.code()))
}
