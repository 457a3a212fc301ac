use std::io::Write as _;
use std::time::{Duration, Instant};

use super::*;

/// The database's files of a server that has a disk of its own, where the tests can read them.
fn fetch(machine: &Machine, disk: &str) {
    for name in ["vestibule.db", "vestibule.db-wal"] {
        fs::copy(format!("{disk}/{name}"), machine.path(name)).expect("a copy");
    }
}

#[test]
fn cfg_06_flt_02_a_full_disk_stops_writes_alone_and_the_same_process_goes_on_once_there_is_room() {
    let machine = Machine::new();
    let small_disk = "mount -t tmpfs -o size=3m none \"$PWD\"";
    if !can_mount(&machine, small_disk) {
        return;
    }
    let server = machine.start_command(mounted(&machine, small_disk, &["serve"]));
    let disk = format!(
        "/proc/{}/root{}",
        server.id(),
        machine.folder.path().display()
    );
    let code = server.setup_code();
    let first = [
        ("code", code.as_str()),
        ("username", "alice"),
        ("password", PASSWORD),
    ];
    let mut alice = machine.anonymous();
    assert_eq!(alice.post("/setup", &first).status, 303);
    let mut leaving = machine.signed_in("alice");

    let mut filler = fs::File::create(format!("{disk}/filler")).expect("a file");
    while filler.write_all(&[0; 4096]).is_ok() {}
    wait_for("the service to be not ready", || {
        (readiness(&machine) == 503).then_some(())
    });
    for _ in 0..3 {
        assert_eq!(try_to_sign_in(&machine).0, 503);
        assert_eq!(leaving.post("/logout", &[]).status, 503);
        assert_eq!(
            alice.session().status,
            200,
            "who is signed in is known all the same"
        );
        assert_eq!(leaving.session().status, 200, "and who could not sign out");
    }
    fetch(&machine, &disk);
    assert_eq!(
        machine.number(SESSIONS),
        2,
        "no session but those of an answered sign-in"
    );

    fs::remove_file(format!("{disk}/filler")).expect("a file");
    drop(filler);
    let room = Instant::now();
    wait_for("a sign-in", || {
        (try_to_sign_in(&machine).0 == 303).then_some(())
    });
    assert!(room.elapsed() < Duration::from_secs(5));
    assert_eq!(leaving.post("/logout", &[]).status, 303);
    wait_for("the service to be ready", || {
        (readiness(&machine) == 200).then_some(())
    });
}

#[test]
fn flt_02_a_disk_that_is_full_for_a_moment_costs_the_requests_of_that_moment_alone() {
    let machine = with_alice();
    let Some(strace) = failing(&machine, "pwrite64:error=ENOSPC:when=60..62", &["serve"]) else {
        return;
    };
    let mut server = machine.start_command(strace);
    let tried: Vec<(u16, Browser)> = (0..20).map(|_| try_to_sign_in(&machine)).collect();
    let statuses: Vec<u16> = tried.iter().map(|(status, _)| *status).collect();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    // The writes of each connection are counted anew, and one that failed is replaced.
    assert!(
        refused >= 2 && !statuses.windows(2).any(|two| two == [503, 503]),
        "{statuses:?}"
    );
    assert_eq!(
        machine.number(SESSIONS),
        20 - i64::try_from(refused).expect("few")
    );
    for (status, mut browser) in tried {
        assert_eq!(status == 303, browser.session().status == 200);
    }
    server.stop();
    machine.cli(&["db", "check"]).done();
}
