//! Settings from the environment, as people and container files write them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Machine;
use super::faults::{can_mount, mounted};
use super::settings::{assert_refused, shown};

#[test]
fn what_is_plainly_meant_is_taken() {
    for (name, value, key, effect) in [
        (
            "TRUSTED_PROXIES",
            "10.0.0.1",
            "trusted_proxies",
            r#"["10.0.0.1/32"]"#,
        ),
        (
            "TRUSTED_PROXIES",
            "10.0.0.1,10.0.0.0/8",
            "trusted_proxies",
            r#"["10.0.0.1/32","10.0.0.0/8"]"#,
        ),
        (
            "TRUSTED_PROXIES",
            "[10.0.0.1, '10.0.0.0/8']",
            "trusted_proxies",
            r#"["10.0.0.1/32","10.0.0.0/8"]"#,
        ),
        (
            "TRUSTED_PROXIES",
            "\"10.0.0.1\"",
            "trusted_proxies",
            r#"["10.0.0.1/32"]"#,
        ),
        ("TRUSTED_PROXIES", "", "trusted_proxies", "[]"),
        ("INSECURE_HTTP", "True", "insecure_http", "true"),
        ("INSECURE_HTTP", "1", "insecure_http", "true"),
        ("INSECURE_HTTP", "'no'", "insecure_http", "false"),
        ("PORT", "\"9000\"", "port", "9000"),
        ("PORT", "9000\r", "port", "9000"),
        (
            "PUBLIC_URL",
            "\"http://localhost:9\"",
            "public_url",
            "http://localhost:9/",
        ),
        ("PUBLIC_URL", "", "public_url", "http://localhost:8000/"),
        ("LOG_LEVEL", "INFO", "log_level", "info"),
        ("LOG_LEVEL", "Warning", "log_level", "warn"),
        ("LOG_FORMAT", "JSON", "log_format", "json"),
        (
            "PASSWORDS__HASHING_THREADS",
            "3",
            "passwords.hashing_threads",
            "3",
        ),
        ("SHUTDOWN__GRACE", "5", "shutdown.grace", "5"),
        ("METRICS_TOKEN", "", "metrics_token", "null"),
        ("TEMPLATES_DIR", "", "templates_dir", "null"),
    ] {
        let name = format!("VESTIBULE_{name}");
        // Which port a test is given is no matter here.
        let machine = Machine::new().set("ROCKET_PORT", "8000").set(&name, value);
        assert_eq!(shown(&machine, &[], key).0, effect, "{name}={value}");
    }
}

#[test]
fn who_may_sign_up_is_a_word_or_a_list_of_domains() {
    let machine = |value| {
        Machine::new()
            .set("VESTIBULE_MAIL__HOST", "localhost")
            .set("VESTIBULE_MAIL__FROM", "Vestibule <v@example.com>")
            .set("VESTIBULE_ACCOUNTS__SIGN_UP", value)
    };
    for (value, effect) in [
        ("approval", "approval"),
        ("'open'", "open"),
        ("[\"example.com\"]", r#"["example.com"]"#),
        (
            "[example.com, 'Example.org']",
            r#"["example.com","Example.org"]"#,
        ),
    ] {
        let (shown, source) = shown(&machine(value), &[], "accounts.sign_up");
        assert_eq!((&*shown, &*source), (effect, "environment"), "{value}");
    }
    for wrong in ["example.com", "[example]", "[]", "true"] {
        assert_refused(&machine(wrong), &["accounts.sign_up"]);
    }
}

#[test]
fn cfg_01_what_is_not_plain_is_refused_with_what_works() {
    for (name, value, words) in [
        ("VESTIBULE_INSECURE_HTTP", "maybe", &["true", "false"][..]),
        ("VESTIBULE_PORT", "", &["empty", "8000"]),
        ("VESTIBULE_PORT", "http", &["whole number like 8000"]),
        (
            "VESTIBULE_DATABASE_URL",
            "",
            &["empty", "sqlite:vestibule.db"],
        ),
        ("DATABASE_URL", "", &["empty", "sqlite:vestibule.db"]),
        (
            "VESTIBULE_SESSIONS",
            "1h",
            &["VESTIBULE_SESSIONS__IDLE_TIMEOUT=12h"],
        ),
        ("VESTIBULE_SHUTDOWN__GRACE", "soon", &["whole number"]),
        (
            "VESTIBULE_TRUSTED_PROXIES",
            "traefik",
            &["traefik", "10.0.0.0/8"],
        ),
    ] {
        assert_refused(&Machine::new().set(name, value), words);
    }
}

#[test]
fn cfg_01_variables_that_are_no_settings_are_named_with_their_cure() {
    for (name, value, cure) in [
        (
            "VESTIBULE_VERSION",
            "1.2",
            "give it a name that does not begin with VESTIBULE_",
        ),
        (
            "VESTIBULE_DB_SERVICE_HOST",
            "10.0.0.1",
            "enableServiceLinks: false",
        ),
        (
            "VESTIBULE_DB_SERVICE_PORT_HTTP",
            "80",
            "enableServiceLinks: false",
        ),
        (
            "VESTIBULE_DB_PORT",
            "tcp://10.0.0.1:80",
            "enableServiceLinks: false",
        ),
        (
            "VESTIBULE_DB_PORT_80_UDP",
            "udp://10.0.0.1:80",
            "enableServiceLinks: false",
        ),
        ("ROCKET_LOG_LEVEL", "normal", "VESTIBULE_LOG_LEVEL"),
        ("ROCKET_IP_HEADER", "X-Real-IP", "VESTIBULE_TRUSTED_PROXIES"),
    ] {
        assert_refused(&Machine::new().set(name, value), &[name, cure]);
    }
}

#[test]
fn a_secret_is_the_text_that_it_is() {
    for value in ["12345", "true", "[1]"] {
        let machine = Machine::new().set("VESTIBULE_METRICS_TOKEN", value);
        let _server = machine.start();
        let bearer = format!("Authorization: Bearer {value}\r\n");
        let answer = machine.anonymous().send("GET", "/metrics", &bearer, "");
        assert_eq!(answer.status, 200, "{value}");
    }
    let machine = Machine::new().set("VESTIBULE_METRICS_TOKEN", "\"quoted\"");
    assert_refused(&machine, &["metrics_token", "quotation marks"]);
}

#[test]
fn a_variable_of_ours_wins_over_rockets() {
    let machine = Machine::new()
        .set("VESTIBULE_PORT", "9001")
        .set("ROCKET_PORT", "9002");
    assert_eq!(shown(&machine, &[], "port").0, "9001");
}

/// A secret as containers are given it: everyone may read it, nobody may change it.
const GIVEN: &str = "mount --bind secrets secrets && mount -o remount,ro,bind secrets";

#[test]
fn a_secret_file_of_a_container_engine_is_taken_from_a_read_only_mount_alone() {
    let machine = Machine::new().set("VESTIBULE_METRICS_TOKEN_FILE", "secrets/token");
    fs::create_dir(machine.path("secrets")).expect("a folder");
    fs::write(machine.path("secrets/token"), "a-long-random-text\r\n").expect("a file");
    for mode in [0o444, 0o644] {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(machine.path("secrets/token"), mode).expect("a mode");
        let err = machine.cli(&["config", "check"]).failed();
        assert!(
            err.contains("chmod o-r") && err.contains("read-only"),
            "{err}"
        );
        if can_mount(&machine, GIVEN) {
            let given = mounted(&machine, GIVEN, &["config", "check"]);
            super::Ran::to_its_end(given, b"").done();
        }
    }
}
