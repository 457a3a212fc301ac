//! A calendar server behind the shipped files of nginx and Caddy, and the programs that people have for it: they come with
//! an app token and know nothing of Vestibule.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{APP, Door, Place, caddy, hold, nginx};
use crate::process::{Machine, Ran, Server, free_port, is_there, wait_for};

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//test//EN\r\nBEGIN:VEVENT\r\nUID:market-day\r\n\
    DTSTAMP:20260301T080000Z\r\nDTSTART:20260302T080000Z\r\nSUMMARY:Market day\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// Gives names addresses for one program.
const NAMES: &str = "/usr/lib/x86_64-linux-gnu/libnss_wrapper.so";

/// What is needed and not on this machine is named, and nothing is tested then.
fn all_is_there() -> bool {
    let why = "calendars are synchronised by app tokens (cargo xtask test installs it)";
    let programs = ["radicale", "vdirsyncer", "curl"];
    programs.iter().all(|program| is_there(program, why)) && Path::new(NAMES).is_file()
}

/// Runs the shipped files of a proxy, with the calendar server for an application. On a port of the test's own, with
/// what their pages say of that.
type Start = fn(&Place) -> Option<Command>;

fn behind_nginx(place: &Place) -> Option<Command> {
    let text = nginx::shipped(place);
    for name in ["vestibule-host.conf", "vestibule-proxy.conf"] {
        let file = place.path("snippets").join(name);
        let shipped = fs::read_to_string(&file).expect("a file");
        let with_port = shipped.replace("$host", "$host:$server_port");
        fs::write(&file, with_port).expect("a file");
    }
    let pass = format!("proxy_pass http://127.0.0.1:{};", place.app);
    assert!(text.contains(&pass));
    let told = format!(
        "include snippets/vestibule-proxy.conf;\nproxy_set_header X-Remote-User $vestibule_user;\n{pass}"
    );
    nginx::serve(place, &text.replace(&pass, &told))
}

fn behind_caddy(place: &Place) -> Option<Command> {
    let text = caddy::shipped(place);
    let pass = format!("reverse_proxy 127.0.0.1:{}\n", place.app);
    assert!(text.contains(&pass));
    let told = format!(
        "reverse_proxy 127.0.0.1:{} {{\n header_up X-Remote-User {{http.request.header.Remote-User}}\n}}\n",
        place.app
    );
    caddy::serve(caddy::debian, place, &text.replace(&pass, &told))
}

/// A calendar server that believes what the proxy says of its users.
fn radicale(machine: &Machine, port: u16) -> Server {
    let config = format!(
        "[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = http_x_remote_user\n[rights]\ntype = owner_only\n\
         [storage]\nfilesystem_folder = {}\n[web]\ntype = none\n",
        machine.path("calendars-of-the-server").display()
    );
    fs::write(machine.path("radicale.conf"), config).expect("a file");
    let mut command = machine.command("radicale");
    command.arg("--config").arg(machine.path("radicale.conf"));
    let mut server = Server::spawn(command);
    wait_for("the calendar server to listen", || {
        assert!(!server.has_ended(), "{}{}", server.out(), server.err());
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
    });
    server
}

/// The programs of a person at one site, whose certificate is trusted by `authority`.
struct Desk<'d> {
    door: &'d Door,
    host: String,
    authority: PathBuf,
}

impl Desk<'_> {
    fn program(&self, name: &str) -> Command {
        let machine = &self.door.machine;
        let names = machine.path("hosts");
        fs::write(&names, format!("127.0.0.1 {APP}\n")).expect("a file");
        let mut command = machine.command(name);
        command
            .env("HOME", machine.path(""))
            .env("LD_PRELOAD", NAMES)
            .env("NSS_WRAPPER_HOSTS", names)
            .env("VDIRSYNCER_CONFIG", machine.path("vdirsyncer.conf"));
        command
    }

    /// A calendar at home, and where it is synchronised to.
    fn prepare(&self, token: &str) {
        let machine = &self.door.machine;
        let home = machine.path("calendars-at-home");
        fs::create_dir_all(home.join("house")).expect("a folder");
        fs::write(home.join("house/market-day.ics"), EVENT).expect("a file");
        let config = format!(
            "[general]\nstatus_path = \"{}\"\n[pair calendars]\na = \"home\"\nb = \"server\"\ncollections = [\"house\"]\n\
             [storage home]\ntype = \"filesystem\"\npath = \"{}\"\nfileext = \".ics\"\n\
             [storage server]\ntype = \"caldav\"\nurl = \"https://{}/\"\nusername = \"alice\"\npassword = \"{token}\"\n\
             verify = \"{}\"\n",
            machine.path("status").display(),
            home.display(),
            self.host,
            self.authority.display()
        );
        fs::write(machine.path("vdirsyncer.conf"), config).expect("a file");
        let netrc = format!("machine {APP} login alice password {token}\n");
        fs::write(machine.path(".netrc"), netrc).expect("a file");
    }

    fn synchronise(&self) -> Ran {
        let mut sync = self.program("vdirsyncer");
        sync.arg("sync");
        Ran::to_its_end(sync, b"")
    }

    fn discover(&self) -> Ran {
        let mut discover = self.program("vdirsyncer");
        discover.arg("discover");
        // A calendar that is not there yet is made.
        Ran::to_its_end(discover, b"y\ny\n")
    }

    /// What a folder holds, for a program that comes without a name first, and takes one from .netrc when it is asked.
    fn list(&self, folder: &str) -> String {
        let mut curl = self.program("curl");
        curl.args(["--silent", "--show-error", "--anyauth", "--netrc"])
            .args(["--request", "PROPFIND", "--header", "Depth: 1"])
            .args(["--write-out", "\nat last %{http_code}\n", "--cacert"])
            .arg(&self.authority)
            .arg(format!("https://{}{folder}", self.host));
        Ran::to_its_end(curl, b"").done().out
    }
}

/// All that the server keeps of alice's.
fn kept(machine: &Machine) -> String {
    let mut found = String::new();
    let mut folders = vec![machine.path("calendars-of-the-server")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ics") {
                found += &fs::read_to_string(path).unwrap_or_default();
            }
        }
    }
    found
}

fn a_calendar_is_synchronised_until_the_token_is_revoked(start: Start, authority: &str) {
    if !all_is_there() {
        return;
    }
    let calendars = free_port();
    let with_calendars = |place: &Place| {
        let place = Place {
            machine: place.machine,
            port: place.port,
            vestibule: place.vestibule,
            app: calendars,
        };
        start(&place)
    };
    hold(with_calendars, |door| {
        let machine = &door.machine;
        let _radicale = radicale(machine, calendars);
        let host = format!("{APP}:{}", door.port);
        machine.cli(&["site", "remove", APP]).done();
        machine
            .cli(&["site", "add", &host, "--tokens", "on"])
            .done();
        let made = machine.cli(&[
            "token", "add", "alice", "--name", "desk", "--site", &host, "--json",
        ]);
        let made = made.done().json();
        let text = |field: &str| made[field].as_str().expect("a text").to_owned();
        let desk = Desk {
            door,
            host,
            authority: machine.path(authority),
        };
        desk.prepare(&text("token"));
        desk.discover().done();
        desk.synchronise().done();
        assert!(
            kept(machine).contains("SUMMARY:Market day"),
            "{}",
            kept(machine)
        );
        let listed = desk.list("/alice/");
        assert!(
            listed.contains("multistatus") && listed.contains("at last 207"),
            "{listed}"
        );

        machine.cli(&["token", "revoke", &text("id")]).done();
        let refused = desk.synchronise();
        assert_ne!(refused.code, 0, "{}{}", refused.out, refused.err);
        let told = refused.out + &refused.err;
        assert!(
            told.contains("401") || told.contains("nauthorized"),
            "{told}"
        );
        let listed = desk.list("/alice/");
        assert!(listed.contains("at last 401"), "{listed}");
    });
}

#[test]
fn tok_02_a_calendar_behind_nginx_is_synchronised_until_the_token_is_revoked() {
    a_calendar_is_synchronised_until_the_token_is_revoked(behind_nginx, "certificate.pem");
}

#[test]
fn tok_02_a_calendar_behind_caddy_is_synchronised_until_the_token_is_revoked() {
    let root = ".local/share/caddy/pki/authorities/local/root.crt";
    a_calendar_is_synchronised_until_the_token_is_revoked(behind_caddy, root);
}
