use std::io::Write as _;
use std::time::{Duration, Instant};

use super::*;
use crate::mail::faulty::FaultyServer;

/// The database's files of a server that has a disk of its own, where the tests can read them.
fn fetch(machine: &Machine, disk: &str) {
    for name in ["vestibule.db", "vestibule.db-wal"] {
        fs::copy(format!("{disk}/{name}"), machine.path(name)).expect("a copy");
    }
}

/// Where the tests see the disk of its own that a server has.
fn disk_of(machine: &Machine, server: &Server) -> String {
    let folder = machine.folder.path().display();
    format!("/proc/{}/root{folder}", server.id())
}

/// Alice, who sets the service up.
fn first_admin(machine: &Machine, server: &Server) -> Browser {
    let code = server.setup_code();
    let first = [
        ("code", code.as_str()),
        ("username", "alice"),
        ("password", PASSWORD),
    ];
    let mut alice = machine.anonymous();
    assert_eq!(alice.post("/setup", &first).status, 303);
    alice
}

/// Leaves no room on a disk; the file is what takes it.
fn fill(machine: &Machine, disk: &str) -> String {
    let path = format!("{disk}/filler");
    let mut filler = fs::File::create(&path).expect("a file");
    while filler.write_all(&[0; 4096]).is_ok() {}
    wait_for("the service to be not ready", || {
        (readiness(machine) == 503).then_some(())
    });
    path
}

#[test]
fn cfg_06_flt_02_a_full_disk_stops_writes_alone_and_the_same_process_goes_on_once_there_is_room() {
    let machine = Machine::new();
    let small_disk = "mount -t tmpfs -o size=3m none \"$PWD\"";
    if !can_mount(&machine, small_disk) {
        return;
    }
    let server = machine.start_command(mounted(&machine, small_disk, &["serve"]));
    let disk = disk_of(&machine, &server);
    let mut alice = first_admin(&machine, &server);
    let mut leaving = machine.signed_in("alice");

    let filler = fill(&machine, &disk);
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

    fs::remove_file(filler).expect("a file");
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
fn flt_02_a_mail_that_a_full_disk_does_not_take_is_refused_and_never_sent() {
    let Some(mails) = FaultyServer::start("take") else {
        return;
    };
    let (host, port) = mails.address();
    let machine = Machine::new()
        .set("VESTIBULE_MAIL__HOST", host)
        .set("VESTIBULE_MAIL__PORT", &port.to_string())
        .set("VESTIBULE_MAIL__TLS", "none")
        .set("VESTIBULE_MAIL__FROM", "vestibule@example.com");
    let small_disk = "mount -t tmpfs -o size=3m none \"$PWD\"";
    if !can_mount(&machine, small_disk) {
        return;
    }
    let server = machine.start_command(mounted(&machine, small_disk, &["serve"]));
    let disk = disk_of(&machine, &server);
    let mut alice = first_admin(&machine, &server);
    let id = alice.session().json()["user"]["id"]
        .as_str()
        .map(str::to_owned);
    let page = format!("/admin/users/{}", id.expect("an id"));
    let known = [
        ("display_name", ""),
        ("email", "alice@example.com"),
        ("groups", ""),
        ("admin", "on"),
    ];
    assert_eq!(alice.post(&page, &known).status, 303);
    let told = mails.kept(1).len();
    let ask = || {
        machine
            .anonymous()
            .post("/reset", &[("username", "alice")])
            .status
    };

    let filler = fill(&machine, &disk);
    for _ in 0..3 {
        assert_eq!(ask(), 503);
    }
    fs::remove_file(filler).expect("a file");
    wait_for("room", || (ask() == 200).then_some(()));
    mails.kept(told + 1);
    let mut ids = mails.ids();
    ids.sort();
    ids.dedup();
    assert_eq!(
        ids.len(),
        told + 1,
        "one mail for the request that was taken"
    );
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
