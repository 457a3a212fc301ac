//! A site of its own that embeds the library, and no more than it uses: examples/members, run as its readers would.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Machine, Server};

/// The example; cargo makes it anew where its sources, or ours, are newer.
fn example() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        // What cargo tells a test of itself would have build scripts run again, and half the tree be built.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                build.env_remove(&name);
            }
        }
        build.args(["build", "--locked", "--package", "members"]);
        assert!(build.status().expect("cargo").success());
        PathBuf::from(env!("CARGO_BIN_EXE_vestibule")).with_file_name("members")
    })
}

/// The example with an admin called owner and a member called alice.
fn site() -> (Machine, Server) {
    let machine = Machine::new();
    machine.add_user("owner", &["--admin"]);
    machine.add_user("alice", &["--display-name", "Alice"]);
    let server = start(&machine);
    (machine, server)
}

fn start(machine: &Machine) -> Server {
    let mut server = Server::spawn(machine.command(example()));
    super::wait_for("the site to listen", || {
        let status = server.child.try_wait().expect("a child");
        assert_eq!(status, None, "{}{}", server.out(), server.err());
        std::net::TcpStream::connect(("127.0.0.1", machine.port)).ok()
    });
    server
}

#[test]
fn a_page_for_anyone_knows_who_is_signed_in() {
    let (machine, _server) = site();
    assert!(machine.anonymous().get("/").body.starts_with("Welcome. "));
    let page = machine.signed_in("alice").get("/");
    assert!(
        page.body.starts_with("Welcome back, Alice."),
        "{}",
        page.body
    );
}

#[test]
fn a_page_for_members_sends_a_browser_to_sign_in_and_back() {
    let (machine, _server) = site();
    let mut browser = machine.anonymous();
    let answer = browser.send("GET", "/members", "Accept: text/html\r\n", "");
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/login?rd=%2Fmembers")
    );
    let form = [
        ("username", "alice"),
        ("password", crate::support::PASSWORD),
        ("rd", "/members"),
    ];
    let answer = browser.post("/login", &form);
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/members")
    );
    assert!(browser.get("/members").body.starts_with("Hello, Alice."));
    assert_eq!(
        machine.anonymous().get("/members").status,
        401,
        "no browser: told, not sent"
    );
}

#[test]
fn the_session_object_counts_over_a_restart_and_ends_with_the_session() {
    let (machine, mut server) = site();
    let mut browser = machine.signed_in("alice");
    assert!(browser.get("/visits").body.contains("1 times"));
    assert!(browser.get("/visits").body.contains("2 times"));
    server.stop();
    let _again = start(&machine);
    assert!(browser.get("/visits").body.contains("3 times"));
    assert!(
        machine
            .signed_in("alice")
            .get("/visits")
            .body
            .contains("1 times")
    );
    browser.post("/logout", &[]);
    assert_eq!(browser.get("/visits").status, 401);
}

#[test]
fn the_doctor_is_the_programs_and_no_page_leads_to_it() {
    let (machine, _server) = site();
    let mut owner = machine.signed_in("owner");
    let sites = owner.get("/admin/sites");
    assert!(sites.body.contains("/admin/rules"), "{}", sites.body);
    assert!(!sites.body.contains("/admin/doctor"), "{}", sites.body);
    assert_eq!(owner.get("/admin/doctor").status, 404);
}

#[test]
fn the_hosts_rocket_settings_are_its_own() {
    let machine = Machine::with_file("[default]\nident = \"Club\"\nkeep_alive = 7\n[default.vestibule]\npasswords.min_length = 20\n")
        .set("ROCKET_LOG_LEVEL", "off")
        .set("ROCKET_CLI_COLORS", "false");
    let server = start(&machine);
    assert_eq!(machine.anonymous().get("/").header("server"), "Club");
    let form = machine
        .anonymous()
        .get(&format!("/setup?code={}", server.setup_code()));
    assert!(form.body.contains("20"), "{}", form.body);
}

#[test]
fn the_site_does_not_start_on_a_database_that_is_served_already() {
    let (machine, _server) = site();
    let ran = super::Ran::to_its_end(machine.command(example()), b"");
    assert_ne!(ran.code, 0);
    assert!(format!("{ran:?}").contains("another Vestibule"), "{ran:?}");
}

#[test]
fn the_hosts_database_url_is_its_own() {
    let machine = Machine::new().set("DATABASE_URL", "postgres://club:secret@db.example.com/club");
    drop(start(&machine));
    assert!(machine.path("vestibule.db").exists());
    let machine = machine.set("VESTIBULE_DATABASE_URL", "sqlite:ours.db");
    drop(start(&machine));
    assert!(machine.path("ours.db").exists());
}
