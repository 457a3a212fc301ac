use super::*;

#[test]
fn flt_12_a_change_that_the_disk_failed_to_keep_is_not_answered_for_and_ends_the_process() {
    let machine = with_alice();
    let Some(strace) = failing(&machine, "fsync,fdatasync:error=EIO:when=14+", &["serve"]) else {
        return;
    };
    let mut server = machine.start_command(strace);
    let mut answered = Vec::new();
    let status = loop {
        match try_to_sign_in(&machine) {
            (303, browser) => answered.push(browser),
            (status, _) => break status,
        }
    };
    assert_eq!(status, 503);
    assert_eq!(server.ended().code(), Some(1));
    let err = server.err();
    let last = err.lines().last().expect("a last line");
    assert!(
        last.contains("the disk failed") && last.contains("restart"),
        "{err}"
    );

    let mut again = machine.start();
    assert!(!answered.is_empty());
    for mut browser in answered {
        assert_eq!(browser.session().status, 200);
    }
    assert_eq!(try_to_sign_in(&machine).0, 303);
    again.stop();
    machine.cli(&["db", "check"]).done();
}

#[test]
fn flt_12_a_command_that_the_disk_failed_says_so() {
    let machine = with_alice();
    let Some(strace) = failing(
        &machine,
        "fsync,fdatasync:error=EIO",
        &["user", "disable", "alice"],
    ) else {
        return;
    };
    let ran = Ran::to_its_end(strace, b"");
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("the disk failed") && ran.err.contains("vestibule: "),
        "{}",
        ran.err
    );
}
