//! Real proxies, each with the very file that deploy/ ships, before the real program and an
//! application that tells what it was sent.
//!
//! [`cases`] says what every proxy is held to; a file each says how it is started.

mod authelia;
mod caddy;
mod cases;
mod dav;
mod echo;
mod envoy;
mod haproxy;
mod http2;
mod nginx;
mod shapes;
mod smuggling;
mod traefik;
mod visitor;

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use uuid::Uuid;
use vestibule::foundation::audit::Actor;
use vestibule::people::app_tokens;
use vestibule::people::passwords::Password;
use vestibule::people::users::{self, NewUser};
use vestibule::sites::policy::{add_rule, add_site};
use vestibule::sites::rules::{Effect, Fallback, Rule};
use vestibule::sites::terms::{Factors, Terms};

use crate::process::{Machine, Ran, Server, free_port, is_there, run, wait_for};
use crate::support::{PASSWORD, TestApp};
use echo::Echo;
use visitor::Visitor;

/// The names in the shipped files.
pub const SIGN_IN: &str = "auth.example.com";
pub const APP: &str = "app.example.com";

const SETTINGS: &str = "[default.vestibule]\npublic_url = \"https://auth.example.com\"\ntrusted_proxies = [\"127.0.0.1\"]\n";

/// Where a proxy finds what it needs.
pub struct Place<'m> {
    machine: &'m Machine,
    /// What the proxy listens on.
    pub port: u16,
    pub vestibule: u16,
    pub app: u16,
}

impl Place<'_> {
    /// Writes a file of deploy/ into the machine's folder; every text that is replaced must be there.
    pub fn ship(&self, file: &str, replaced: &[(&str, String)]) -> PathBuf {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("deploy")
            .join(file);
        let mut text = fs::read_to_string(&from).unwrap_or_else(|error| panic!("{file}: {error}"));
        for (old, new) in replaced {
            assert!(text.contains(old), "{file} has {old:?}");
            text = text.replace(old, new);
        }
        self.write(file.rsplit('/').next().expect("a name"), &text)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.machine.path(name);
        fs::write(&path, text).expect("a file");
        path
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.machine.path(name)
    }

    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        self.machine.command(program)
    }

    /// The certificate of both names, and its key.
    pub fn certificate(&self) -> (PathBuf, PathBuf) {
        let (certificate, key) = certificate();
        (
            self.write("certificate.pem", certificate),
            self.write("key.pem", key),
        )
    }
}

/// A proxy with a protected application behind it.
pub struct Door {
    machine: Machine,
    vestibule: Mutex<Option<Server>>,
    proxy: Server,
    app: Echo,
    port: u16,
}

impl Door {
    fn open(start: impl FnOnce(&Place) -> Option<Command>) -> Option<Self> {
        if !is_there(
            "openssl",
            "proxies do what they should (cargo xtask test installs it)",
        ) {
            return None;
        }
        let machine = machine();
        let app = Echo::start();
        let place = Place {
            machine: &machine,
            port: free_port(),
            vestibule: machine.port,
            app: app.port,
        };
        let command = start(&place)?;
        let port = place.port;
        let vestibule = machine.start();
        let mut proxy = Server::spawn(command);
        // Some listen before they have a certificate, or a router, for each host.
        for host in [SIGN_IN, APP] {
            let request = format!(
                "GET /.vestibule/icon.svg HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            );
            wait_for("the proxy to serve", || {
                assert!(!proxy.has_ended(), "{}{}", proxy.out(), proxy.err());
                TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
                let answer = visitor::exchange(port, host, &request);
                (answer.starts_with("HTTP/1.1 ") && !answer.starts_with("HTTP/1.1 404 "))
                    .then_some(())
            });
        }
        Some(Self {
            vestibule: Mutex::new(Some(vestibule)),
            machine,
            proxy,
            app,
            port,
        })
    }

    pub fn visitor(&self) -> Visitor<'_> {
        Visitor::new(self)
    }

    /// A browser in which `name` has signed in and come to the application.
    pub fn signed_in(&self, name: &str) -> Visitor<'_> {
        let mut visitor = self.visitor();
        let entered = visitor.sign_in(name, "/page/");
        assert_eq!(
            entered.header("location"),
            "https://app.example.com/page/",
            "{entered:?}"
        );
        visitor
    }

    pub fn exchange(&self, host: &str, request: &str) -> String {
        visitor::exchange(self.port, host, request)
    }
}

/// Opens a door and holds it to a case; says what the proxy said where it does not hold. `start` gives
/// `None` where the proxy is not on this machine.
fn hold(start: impl FnOnce(&Place) -> Option<Command>, case: impl FnOnce(&Door)) {
    let Some(door) = Door::open(start) else {
        return;
    };
    let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case(&door)));
    if let Err(panic) = held {
        println!("the proxy: {}{}", door.proxy.out(), door.proxy.err());
        std::panic::resume_unwind(panic);
    }
}

/// One that Vestibule can be started on, behind a proxy of this machine.
fn machine() -> Machine {
    let machine = Machine::with_file(SETTINGS);
    let made = made();
    fs::write(machine.path("vestibule.db"), &made.database).expect("a file");
    fs::write(machine.path("vestibule.key"), &made.key).expect("a file");
    let for_its_owner = fs::Permissions::from_mode(0o600);
    fs::set_permissions(machine.path("vestibule.key"), for_its_owner).expect("a file");
    machine
}

/// What every machine here starts with.
struct Made {
    database: Vec<u8>,
    /// That secrets in the database are sealed with.
    key: Vec<u8>,
    /// An app token of alice's, for the site.
    token: String,
}

/// An app token of alice's.
pub fn token() -> &'static str {
    &made().token
}

/// A database with alice, who is of the staff, bob, who is not, carol, who is of as many groups as there
/// may be, and the site's rules; made once.
fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| run(make_database()))
}

/// The longest header of groups.
pub fn most_groups() -> Vec<String> {
    (0..63).map(|number| format!("{number:064}")).collect()
}

async fn make_database() -> Made {
    let TestApp { app, folder, .. } = TestApp::start().await;
    let operator = Actor::operator();
    for (name, groups) in [
        ("alice", vec!["staff".to_owned()]),
        ("bob", Vec::new()),
        ("carol", most_groups()),
    ] {
        let new = NewUser {
            username: name.to_owned(),
            display_name: Some(format!("{name} of the house")),
            groups,
            ..NewUser::default()
        };
        let password = Password::new(PASSWORD.to_owned());
        users::create(&app, &operator, new, &password)
            .await
            .expect("a database")
            .expect("a user");
    }
    let terms = Terms {
        tokens: true,
        ..Fallback::Deny.into()
    };
    let site = add_site(&app, &operator, APP, terms)
        .await
        .expect("a database")
        .expect("a site");
    for (path, who, networks) in [
        ("/public/*", "anyone", &[][..]),
        ("/page/*", "signed-in", &[]),
        ("/staff/*", "group:staff", &[]),
        ("/lan/*", "anyone", &["203.0.113.0/24"]),
    ] {
        let rule = Rule {
            id: Uuid::now_v7(),
            path: path.parse().expect("a path"),
            methods: Vec::new(),
            networks: networks
                .iter()
                .map(|network| network.parse().expect("a network"))
                .collect(),
            who: who.parse().expect("a who"),
            effect: Effect::Allow,
            factors: Factors::One,
        };
        add_rule(&app, &operator, site.id, rule, None, None)
            .await
            .expect("a database")
            .expect("a rule");
    }
    let secret = app_tokens::Secret::generate();
    let new = app_tokens::NewToken {
        id: Uuid::now_v7(),
        name: "calendar".to_owned(),
        sites: Some(vec![site.id]),
        networks: Vec::new(),
        two_factor: false,
        expires_at: None,
    };
    app_tokens::add(&app, &operator, "alice", new, &secret)
        .await
        .expect("a database")
        .expect("a token");
    app.close().await;
    assert!(
        !folder.path().join("vestibule.db-wal").exists(),
        "all is in the one file"
    );
    let read = |name| fs::read(folder.path().join(name)).expect("a file");
    Made {
        database: read("vestibule.db"),
        key: read("vestibule.key"),
        token: secret.reveal().to_owned(),
    }
}

/// A certificate and its key, made once; nobody checks who signed it.
fn certificate() -> &'static (String, String) {
    static MADE: OnceLock<(String, String)> = OnceLock::new();
    MADE.get_or_init(|| {
        let machine = Machine::new();
        let mut openssl = machine.command("openssl");
        openssl.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem -out certificate.pem".split(' '));
        openssl.args(["-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:auth.example.com,DNS:app.example.com"]);
        Ran::to_its_end(openssl, b"").done();
        let read = |name| fs::read_to_string(machine.path(name)).expect("a file");
        (read("certificate.pem"), read("key.pem"))
    })
}
