use std::collections::HashSet;
use std::fs;

use xtask::run::{Stop, failed};

use super::testbed::Testbed;
use super::{Fault, Findings, strace};
use crate::driver::{PASSWORD, wait_for};

pub const FAULT: Fault = Fault {
    id: "B1b",
    what: "strace: the WAL is on the disk before a sign-in or a sign-out is answered",
    run,
};

const CALLS: &str = "recvfrom,writev,sendto,write,pwrite64,fsync,fdatasync";

fn run(testbed: &Testbed) -> Result<Findings, Stop> {
    let mut findings = Findings::default();
    let instance = testbed.instance("fsync-order")?;
    let trace = instance.path("trace");
    let server = instance
        .clone()
        .under(strace::shows(CALLS, &trace))
        .start()?;
    let rounds = testbed.rounds(25, 500);
    let mut client = instance.client().map_err(failed("no connection"))?;
    for _ in 0..rounds {
        client
            .without_cookie()
            .sign_in("user-01", PASSWORD)
            .map_err(failed("POST /login"))?;
        client.post("/logout", "").map_err(failed("POST /logout"))?;
    }
    server.stop()?;
    let written = || {
        fs::read_to_string(&trace)
            .ok()
            .filter(|trace| trace.contains("SIGTERM"))
    };
    let order = Order::of(&wait_for("the trace", written)?);
    findings.require(
        order.answers == usize::try_from(2 * rounds).unwrap_or_default(),
        format!(
            "{} answers were seen to {} requests",
            order.answers,
            2 * rounds
        ),
    );
    findings.require(
        order.wrong == 0,
        format!("{} answers came before the fsync", order.wrong),
    );
    findings.figure(format!(
        "{} answers, {} before the fsync",
        order.answers, order.wrong
    ));
    Ok(findings)
}

/// What a trace of one client's requests shows, one after the other.
#[derive(Debug, Default, PartialEq, Eq)]
struct Order {
    answers: usize,
    wrong: usize,
}

impl Order {
    fn of(trace: &str) -> Self {
        let mut order = Self::default();
        let (mut written, mut on_disk) = (false, false);
        // Threads with an fsync of the WAL that has begun.
        let mut syncing = HashSet::new();
        for line in trace.lines() {
            let thread = line.split(' ').next().unwrap_or_default();
            let of_wal = line.contains("-wal>");
            if line.contains("\"POST /") {
                (written, on_disk) = (false, false);
            } else if line.contains("pwrite64(") && of_wal {
                written = true;
            } else if line.contains("sync(") && of_wal && line.contains("<unfinished") {
                syncing.insert(thread);
            } else if line.ends_with("= 0")
                && (line.contains("sync(") && of_wal
                    || line.contains("sync resumed>") && syncing.remove(thread))
            {
                on_disk |= written;
            } else if line.contains("\"HTTP/1.1 303") {
                order.answers += 1;
                order.wrong += usize::from(!on_disk);
            }
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
    use xtask::install::on_path;

    use super::*;
    use crate::sqlite;

    const HOW: &str = "TEST_SYNCHRONOUS";

    /// What the tests below trace: a request, a commit as `HOW` says, an answer.
    #[test]
    #[ignore = "run under strace by the tests beside it"]
    fn a_commit() {
        let synchronous = match std::env::var(HOW).as_deref() {
            Ok("FULL") => SqliteSynchronous::Full,
            _ => SqliteSynchronous::Normal,
        };
        let folder = tempfile::tempdir().expect("a folder");
        let options = sqlite::file(&folder.path().join("test.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous);
        sqlite::connected(&options, async |connection| {
            sqlx::raw_sql("CREATE TABLE t (x)")
                .execute(&mut *connection)
                .await?;
            fs::write(folder.path().join("wire"), "POST /login")?;
            sqlx::raw_sql("INSERT INTO t VALUES (1)")
                .execute(&mut *connection)
                .await?;
            fs::write(folder.path().join("wire"), "HTTP/1.1 303")?;
            Ok::<_, sqlx::Error>(())
        })
        .expect("a commit");
    }

    fn traced(synchronous: &str) -> Order {
        let folder = tempfile::tempdir().expect("a folder");
        let trace = folder.path().join("trace");
        let mut line = strace::shows(CALLS, Path::new(&trace)).into_iter();
        let mut strace = Command::new(line.next().expect("strace"));
        // Not a grandchild: it has ended when the test has.
        strace.args(line.filter(|word| word != "-D"));
        strace.arg(std::env::current_exe().expect("this program"));
        strace.args([
            "--ignored",
            "--exact",
            "faults::fsync_order::tests::a_commit",
        ]);
        let done = strace.env(HOW, synchronous).output().expect("strace");
        assert!(done.status.success(), "{done:?}");
        Order::of(&fs::read_to_string(&trace).expect("a trace"))
    }

    #[test]
    fn an_answer_before_the_fsync_is_found() {
        if !on_path("strace") {
            eprintln!("not run: strace is absent; cargo xtask faults installs it");
            return;
        }
        assert_eq!(
            traced("FULL"),
            Order {
                answers: 1,
                wrong: 0
            }
        );
        assert_eq!(
            traced("NORMAL"),
            Order {
                answers: 1,
                wrong: 1
            }
        );
    }

    #[test]
    fn an_fsync_that_has_not_ended_is_none() {
        let trace = "1 recvfrom(5, \"POST /login\")\n2 pwrite64(9</a-wal>, \"\")\n2 fsync(9</a-wal> <unfinished ...>\n\
                     1 writev(5, \"HTTP/1.1 303 See\")\n2 <... fsync resumed>) = 0\n";
        assert_eq!(
            Order::of(trace),
            Order {
                answers: 1,
                wrong: 1
            }
        );
    }
}
