//! Settings: where they come from, and which are refused before anything is opened.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::ffi::OsStrExt;

use super::Machine;

/// What is in effect for one key, and where it came from.
pub fn shown(machine: &Machine, options: &[&str], key: &str) -> (String, String) {
    let arguments = [options, &["config", "show", "--json"]].concat();
    let settings = machine.cli(&arguments).done().json();
    let all = settings.as_array().expect("a list");
    let setting = all.iter().find(|setting| setting["key"] == key);
    let setting = setting.unwrap_or_else(|| panic!("{key} is shown"));
    let text = |name: &str| {
        setting[name]
            .as_str()
            .map_or(setting[name].to_string(), str::to_owned)
    };
    (text("value"), text("source"))
}

const FILE: &str = "[default.vestibule]\ndatabase_url = \"sqlite:default.db\"\n[global.vestibule]\ndatabase_url = \"sqlite:global.db\"\n";

#[test]
fn without_anything_said_the_defaults_hold() {
    let machine = Machine::new();
    let database = shown(&machine, &[], "database_url");
    assert_eq!(
        database,
        ("sqlite:vestibule.db".to_owned(), "default".to_owned())
    );
    assert_eq!(shown(&machine, &[], "address").0, "127.0.0.1");
    assert_eq!(shown(&machine, &[], "sessions.idle_timeout").0, "12h");
}

#[test]
fn the_file_wins_over_the_defaults_and_its_profiles_over_its_default() {
    let machine = Machine::with_file(FILE);
    assert_eq!(shown(&machine, &[], "database_url").0, "sqlite:global.db");
    assert!(
        shown(&machine, &[], "database_url")
            .1
            .contains("Rocket.toml")
    );
}

#[test]
fn database_url_of_the_environment_wins_over_every_profile_of_the_file() {
    let machine = Machine::with_file(FILE).set("DATABASE_URL", "sqlite:cli.db");
    let expected = ("sqlite:cli.db".to_owned(), "DATABASE_URL".to_owned());
    assert_eq!(shown(&machine, &[], "database_url"), expected);
}

#[test]
fn vestibule_database_url_wins_over_database_url() {
    let machine = Machine::with_file(FILE)
        .set("DATABASE_URL", "sqlite:cli.db")
        .set("VESTIBULE_DATABASE_URL", "sqlite:ours.db");
    let expected = ("sqlite:ours.db".to_owned(), "environment".to_owned());
    assert_eq!(shown(&machine, &[], "database_url"), expected);
}

#[test]
fn the_command_line_wins_over_everything() {
    let machine = Machine::with_file(FILE)
        .set("DATABASE_URL", "sqlite:cli.db")
        .set("VESTIBULE_DATABASE_URL", "sqlite:ours.db");
    let expected = ("sqlite:argument.db".to_owned(), "--database".to_owned());
    let options = ["--database", "sqlite:argument.db"];
    assert_eq!(shown(&machine, &options, "database_url"), expected);
}

#[test]
fn a_key_within_a_table_and_a_list_come_from_the_environment_too() {
    let machine = Machine::new()
        .set("VESTIBULE_SESSIONS__IDLE_TIMEOUT", "1h")
        .set(
            "VESTIBULE_TRUSTED_PROXIES",
            "[\"127.0.0.1\", \"10.0.0.0/8\"]",
        );
    assert_eq!(shown(&machine, &[], "sessions.idle_timeout").0, "1h");
    let proxies = shown(&machine, &[], "trusted_proxies").0;
    assert_eq!(proxies, "[\"127.0.0.1/32\",\"10.0.0.0/8\"]");
}

#[test]
fn config_show_is_a_table_for_people() {
    let machine = Machine::with_file(FILE);
    let out = machine.cli(&["config", "show"]).done().out;
    let line = out.lines().find(|line| line.starts_with("database_url"));
    let cells: Vec<&str> = line.expect("a line").split_whitespace().collect();
    assert_eq!(cells[1], "sqlite:global.db");
    assert!(cells[2].ends_with("Rocket.toml"), "{out}");
}

#[test]
fn config_check_says_that_settings_are_good_and_makes_no_database() {
    let machine = Machine::with_file("[default.vestibule.sessions]\nidle_timeout = \"1h\"\n");
    assert!(
        machine
            .cli(&["config", "check"])
            .done()
            .out
            .contains("good")
    );
    assert_eq!(machine.files(), ["Rocket.toml"]);
}

/// Each of these stops the start, with a line that has these words; nothing is opened or made.
pub fn assert_refused(machine: &Machine, words: &[&str]) {
    let before = machine.files();
    let err = machine.refuses_to_start();
    for word in words {
        assert!(err.contains(word), "{word:?} in: {err}");
    }
    assert!(!err.contains("panicked"), "{err}");
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, machine.port));
    assert!(socket.is_err(), "nothing listens");
    assert_eq!(machine.files(), before, "nothing was made");
    let checked = machine.cli(&["config", "check"]).failed();
    assert_eq!(checked, err, "config check says the same");
}

#[test]
fn cfg_01_unknown_and_wrong_keys_of_the_file_are_refused_by_name() {
    for (line, words) in [
        ("sesions.idle_timeout = \"1h\"", &["sesions"][..]),
        ("sessions.idle_timout = \"1h\"", &["idle_timout"]),
        (
            "sessions.idle_timeout = \"-1h\"",
            &["sessions.idle_timeout", "30m"],
        ),
        (
            "sessions.idle_timeout = 3600",
            &["sessions.idle_timeout", "30m"],
        ),
        ("sessions.idle_timeout = \"0s\"", &["sessions.idle_timeout"]),
        (
            "sessions.idle_timeout = \"8d\"",
            &["sessions.idle_timeout", "sessions.max_lifetime"],
        ),
        ("sessions.max_per_user = 0", &["sessions.max_per_user"]),
        (
            "sessions.max_per_user = \"many\"",
            &["sessions.max_per_user"],
        ),
        ("passwords.min_length = 7", &["passwords.min_length", "8"]),
        (
            "passwords.memory_kib = 1024",
            &["passwords.memory_kib", "19456"],
        ),
        (
            "public_url = \"https://auth.example.com\"",
            &["trusted_proxies"],
        ),
        ("public_url = \"auth.example.com\"", &["public_url"]),
        (
            "public_url = \"https://auth.example.com/login\"",
            &["public_url"],
        ),
        (
            "trusted_proxies = [\"10.0.0.0/33\"]",
            &["trusted_proxies", "10.0.0.0/33"],
        ),
        ("throttle.account_tries = 0", &["throttle.account_tries"]),
        ("log_format = \"xml\"", &["log_format", "json"]),
        ("log_level = \"loud\"", &["log_level", "trace"]),
        (
            "templates_dir = \"no/such/folder\"",
            &["templates_dir", "no/such/folder"],
        ),
        (
            "database_url = \"mysql://db/vestibule\"",
            &["database_url", "sqlite:"],
        ),
        ("database_url = \"sqlite::memory:\"", &["database_url"]),
        ("public_url = ", &["Rocket.toml", "line 2"]),
    ] {
        let machine = Machine::with_file(&format!("[default.vestibule]\n{line}\n"));
        assert_refused(&machine, words);
    }
}

#[test]
fn cfg_01_unknown_and_wrong_variables_are_refused_by_name() {
    for (name, value, words) in [
        ("VESTIBULE_SESSION__IDLE_TIMEOUT", "1h", &["session"][..]),
        ("VESTIBULE_SESSIONS__IDLE", "1h", &["idle"]),
        ("VESTIBULE_SESSIONS", "1h", &["sessions"]),
        (
            "VESTIBULE_SESSIONS__IDLE_TIMEOUT",
            "soon",
            &["sessions.idle_timeout", "30m"],
        ),
        ("ROCKET_PORT", "80000", &["port"]),
        ("ROCKET_ADDRESS", "everywhere", &["address"]),
        ("ROCKET_WORKERS", "0", &["workers"]),
    ] {
        assert_refused(&Machine::new().set(name, value), words);
    }
}

#[test]
fn cfg_01_a_variable_that_is_no_text_is_refused_by_name() {
    let machine = Machine::new();
    let mut command = machine.command(super::program());
    let value = OsStr::from_bytes(b"sqlite:\xff.db");
    command
        .args(["db", "migrate"])
        .env("VESTIBULE_DATABASE_URL", value);
    let err = super::Ran::to_its_end(command, b"").failed();
    assert!(
        err.contains("VESTIBULE_DATABASE_URL: is not UTF-8"),
        "{err}"
    );
    assert!(machine.files().is_empty());
}

#[test]
fn cfg_02_rocket_keys_that_could_weaken_the_service_are_refused_by_name() {
    for line in [
        "ip_header = \"X-Real-IP\"",
        "secret_key = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        "ident = \"Vestibule\"",
        "log_level = \"debug\"",
        "limits = { form = \"64 MiB\" }",
        "tls = { certs = \"c.pem\", key = \"k.pem\" }",
        "keep_alive = 0",
    ] {
        let (key, value) = line.split_once(" = ").expect("a line");
        for profile in ["default", "global", "release"] {
            let machine = Machine::with_file(&format!("[{profile}]\n{line}\n"));
            assert_refused(
                &machine,
                &[key, profile, "address, port, workers, shutdown"],
            );
        }
        let name = format!("ROCKET_{}", key.to_uppercase());
        assert_refused(&Machine::new().set(&name, value), &[&name]);
    }
}

#[test]
fn cfg_02_a_profile_that_nobody_selects_is_refused_by_name() {
    let machine = Machine::with_file("[vestibule]\npublic_url = \"http://localhost\"\n");
    assert_refused(&machine, &["[vestibule]", "[default.vestibule]"]);
    let machine = Machine::with_file("[staging.vestibule]\ninsecure_http = false\n");
    assert_refused(&machine, &["[staging]"]);
    machine
        .set("ROCKET_PROFILE", "staging")
        .cli(&["config", "check"])
        .done();
}

#[test]
fn cfg_02_the_settings_of_a_parent_folder_are_not_read() {
    let machine = Machine::with_file("nonsense");
    let folder = machine.path("below");
    fs::create_dir(&folder).expect("a folder");
    let mut command = machine.command(super::program());
    command.current_dir(&folder).args(["config", "check"]);
    super::Ran::to_its_end(command, b"").done();
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let machine = Machine::new();
    let err = machine
        .cli(&["--config", "other.toml", "config", "check"])
        .failed();
    assert!(err.contains("other.toml: there is no such file"), "{err}");
    fs::create_dir(machine.path("Rocket.toml")).expect("a folder");
    assert_refused(&machine, &["Rocket.toml", "folder"]);
}

#[test]
fn what_kubernetes_puts_into_the_environment_is_explained() {
    for (name, value) in [
        ("VESTIBULE_PORT", "tcp://10.0.0.1:80"),
        ("VESTIBULE_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("VESTIBULE_SERVICE_HOST", "10.0.0.1"),
    ] {
        assert_refused(
            &Machine::new().set(name, value),
            &[name, "enableServiceLinks: false"],
        );
    }
}

#[test]
fn coo_09_no_session_is_set_to_outlive_what_browsers_keep() {
    for key in [
        "max_lifetime",
        "remember_max_lifetime",
        "remember_idle_timeout",
    ] {
        let machine =
            Machine::with_file(&format!("[default.vestibule]\nsessions.{key} = \"401d\"\n"));
        assert_refused(&machine, &[&format!("sessions.{key}"), "400d"]);
    }
}

#[test]
fn coo_08_plain_http_off_this_machine_is_refused() {
    let machine = Machine::new().set("VESTIBULE_PUBLIC_URL", "http://192.168.1.5:8000");
    assert_refused(&machine, &["public_url", "insecure_http"]);
}

#[test]
fn coo_08_insecure_http_allows_it_and_warns_at_every_start() {
    let machine = Machine::new()
        .set("VESTIBULE_PUBLIC_URL", "http://192.168.1.5:8000")
        .set("VESTIBULE_INSECURE_HTTP", "true");
    machine.add_user("alice", &[]);
    for _ in 0..2 {
        let mut server = machine.start();
        let mut browser = machine.anonymous();
        browser.host = "192.168.1.5:8000".to_owned();
        let answer = browser.sign_in("alice", crate::support::PASSWORD);
        let cookie = answer.header("set-cookie");
        assert!(
            cookie.starts_with("vestibule=") && !cookie.contains("Secure"),
            "{cookie}"
        );
        server.stop();
        assert_eq!(
            server.err().matches("WARN insecure_http").count(),
            1,
            "{}",
            server.err()
        );
    }
}

#[test]
fn cfg_03_only_loopback_is_listened_on_unless_told_otherwise() {
    let machine = Machine::new();
    let server = machine.start();
    assert_eq!(
        listening(server.id()),
        [format!("0100007F:{:04X}", machine.port)]
    );
}

/// Addresses that a process listens on, as the kernel writes them.
fn listening(process: u32) -> Vec<String> {
    let files = fs::read_dir(format!("/proc/{process}/fd")).expect("a process");
    let sockets: Vec<String> = files
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .filter_map(|target| {
            let name = target.to_string_lossy().into_owned();
            Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let tables = ["tcp", "tcp6"]
        .map(|name| fs::read_to_string(format!("/proc/{process}/net/{name}")).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    rows.map(|row| row.split_whitespace().collect::<Vec<_>>())
        .filter(|cells| cells[3] == "0A" && sockets.iter().any(|socket| socket == cells[9]))
        .map(|cells| cells[1].to_owned())
        .collect()
}
