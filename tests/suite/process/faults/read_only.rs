use std::time::{Duration, Instant};

use super::*;

/// Files that nobody may change, not even root, until they may again.
struct Immutable<'m>(&'m Machine);

const FILES: [&str; 2] = ["vestibule.db", "vestibule.db-wal"];

impl<'m> Immutable<'m> {
    /// `None` where a disk knows no such thing.
    fn make(machine: &'m Machine) -> Option<Self> {
        let immutable = Self(machine);
        let can = is_there("chattr", "a read-only database is borne") && immutable.chattr("+i");
        can_only_root(can, "a read-only database is borne").then_some(immutable)
    }

    fn chattr(&self, mode: &str) -> bool {
        let mut chattr = self.0.command("chattr");
        chattr.arg(mode).args(FILES);
        Ran::to_its_end(chattr, b"").code == 0
    }
}

impl Drop for Immutable<'_> {
    fn drop(&mut self) {
        self.chattr("-i");
    }
}

#[test]
fn flt_03_while_the_database_is_read_only_the_signed_in_stay_so_and_every_write_is_refused() {
    let machine = with_alice();
    let server = machine.start();
    let mut alice = machine.signed_in("alice");
    let mut leaving = machine.signed_in("alice");
    let Some(immutable) = Immutable::make(&machine) else {
        return;
    };
    for _ in 0..3 {
        assert_eq!(leaving.post("/logout", &[]).status, 503);
        assert_eq!(try_to_sign_in(&machine).0, 503);
        assert_eq!(
            (alice.session().status, leaving.session().status),
            (200, 200)
        );
    }
    wait_for("the service to be not ready", || {
        (readiness(&machine) == 503).then_some(())
    });
    drop(immutable);
    let writable = Instant::now();
    wait_for("a sign-in", || {
        (try_to_sign_in(&machine).0 == 303).then_some(())
    });
    assert!(writable.elapsed() < Duration::from_secs(5));
    wait_for("the service to be ready", || {
        (readiness(&machine) == 200).then_some(())
    });
    assert_eq!(leaving.post("/logout", &[]).status, 303);
    assert_eq!(alice.session().status, 200);
    assert!(!server.err().contains("panicked"), "{}", server.err());
}

#[test]
fn flt_03_a_database_of_another_owner_is_refused_with_what_to_do() {
    let machine = with_alice();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    fs::copy(program(), machine.path("vestibule")).expect("a copy");
    for name in [".", "vestibule"] {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(machine.path(name), fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    let as_nobody = |arguments: &[&str]| {
        let mut setpriv = machine.command("setpriv");
        setpriv
            .args(nobody)
            .arg(machine.path("vestibule"))
            .args(arguments);
        Ran::to_its_end(setpriv, b"")
    };
    let can =
        is_there("setpriv", "another's database is refused") && as_nobody(&["--version"]).code == 0;
    if !can_only_root(can, "another's database is refused") {
        return;
    }
    for command in [&["serve"][..], &["user", "list"]] {
        let err = as_nobody(command).failed();
        assert!(
            err.contains("vestibule.db") && err.contains("writable"),
            "{err}"
        );
    }
}
