use std::path::PathBuf;

use super::*;

/// A machine whose clock the test sets: an offset like `-1h`, or a time like `@1970-01-02 00:00:00`.
struct Clock(Machine);

impl Clock {
    fn new() -> Option<Self> {
        let Some(library) = library() else {
            println!("faketime is not here, so it is not tested that a clock may jump");
            assert!(
                std::env::var_os("TEST_REQUIRE_COMPONENTS").is_none(),
                "faketime is missing"
            );
            return None;
        };
        let machine = with_alice();
        let file = machine.path("time").display().to_string();
        let clock = Self(
            machine
                .set("LD_PRELOAD", &library.display().to_string())
                .set("FAKETIME_TIMESTAMP_FILE", &file)
                .set("FAKETIME_NO_CACHE", "1")
                // As the kernel has it: nobody sets that one.
                .set("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .set("DONT_FAKE_MONOTONIC", "1"),
        );
        clock.set("+0");
        Some(clock)
    }

    fn set(&self, to: &str) {
        fs::write(self.0.path("new time"), to).expect("a file");
        fs::rename(self.0.path("new time"), self.0.path("time")).expect("a rename");
    }
}

/// Debian keeps it in a folder for each kind of processor.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut files = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    files.find(|file| file.is_file())
}

fn statuses<const N: usize>(browsers: [&mut Browser; N]) -> [u16; N] {
    browsers.map(|browser| browser.session().status)
}

#[test]
fn flt_06_what_has_ended_by_time_stays_ended_wherever_the_clock_goes() {
    let Some(clock) = Clock::new() else {
        return;
    };
    let machine = &clock.0;
    let server = machine.start();
    let (mut seen, mut unseen) = (machine.signed_in("alice"), machine.signed_in("alice"));
    assert_eq!(statuses([&mut seen, &mut unseen]), [200, 200]);

    clock.set("+2d");
    assert_eq!(seen.session().status, 401, "its time was up");
    clock.set("-1h");
    assert_eq!(statuses([&mut seen, &mut unseen]), [401, 401]);
    let mut later = machine.signed_in("alice");
    assert_eq!(later.session().status, 200);
    wait_for("a word about it", || {
        server.err().contains("2 days behind").then_some(())
    });
    const AHEAD: &str =
        "SELECT (SELECT told FROM clock) - min(created_at) > 86400000000 FROM sessions";
    wait_for("the time to be kept", || {
        (machine.number(AHEAD) == 1).then_some(())
    });
    server.kill();
    for time in ["-1h", "@1970-01-02 00:00:00"] {
        clock.set(time);
        let mut server = machine.start();
        assert_eq!(
            statuses([&mut seen, &mut unseen, &mut later]),
            [401, 401, 200],
            "{time}"
        );
        assert_eq!(machine.signed_in("alice").session().status, 200);
        let ran = machine.cli(&["doctor", "https://nowhere.example.net/"]);
        assert!(
            ran.out.contains("behind the time") && ran.out.contains("timedatectl"),
            "{}",
            ran.out
        );
        server.stop();
        assert!(!server.err().contains("panicked"), "{}", server.err());
    }
}

#[test]
fn flt_06_a_leap_of_ten_years_ends_nobodys_session() {
    let Some(clock) = Clock::new() else {
        return;
    };
    let machine = &clock.0;
    let mut server = machine.start();
    let mut browser = machine.signed_in("alice");
    clock.set("+10y");
    assert_eq!(browser.session().status, 200);
    wait_for("a word about it", || {
        server.err().contains("days ahead").then_some(())
    });
    server.stop();
    // What is over is swept at the start.
    let mut server = machine.start();
    assert_eq!(browser.session().status, 200);
    let mut newer = machine.signed_in("alice");
    let ran = machine.cli(&["doctor", "https://nowhere.example.net/"]);
    assert!(ran.out.contains("days ahead"), "{}", ran.out);
    clock.set("+0");
    assert_eq!(statuses([&mut browser, &mut newer]), [200, 200]);
    wait_for("the doubt to be over", || {
        server.err().contains("believed again").then_some(())
    });
    server.stop();
    assert_eq!(
        machine.number("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL"),
        0
    );
    assert!(!server.err().contains("panicked"), "{}", server.err());
}

#[test]
fn flt_06_a_second_to_and_fro_is_nothing() {
    let Some(clock) = Clock::new() else {
        return;
    };
    let machine = &clock.0;
    let server = machine.start();
    let mut browser = machine.signed_in("alice");
    for turn in 0..20 {
        clock.set(["+1", "-1"][turn % 2]);
        assert_eq!(browser.session().status, 200);
        assert_eq!(try_to_sign_in(machine).0, 303);
    }
    assert!(!server.err().contains("clock"), "{}", server.err());
}
