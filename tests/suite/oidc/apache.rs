//! Apache with mod_auth_openidc, as Debian has it.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::modules::has_openid_client;
use crate::process::{Machine, Ran, Server, free_port, is_there, wait_for};
use crate::support::PASSWORD;

/// An Apache that serves one page to whoever the provider names.
struct Apache {
    /// Its own, for Apache drops its rights and the program's folder is private.
    folder: TempDir,
    port: u16,
}

impl Apache {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), open).expect("a mode");
        fs::write(folder.path().join("page.html"), "the application").expect("a file");
        Self {
            folder,
            port: free_port(),
        }
    }

    fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn start(&self, machine: &Machine, client: &Value) -> Server {
        let folder = self.folder.path().display();
        let modules = [
            "mpm_event",
            "authn_core",
            "authz_core",
            "authz_user",
            "auth_openidc",
            "headers",
        ];
        let loaded: String = modules
            .map(|name| {
                format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")
            })
            .concat();
        let text = format!(
            r#"{loaded}
            Listen 127.0.0.1:{port}
            ServerName 127.0.0.1
            ServerRoot {folder}
            DocumentRoot {folder}
            PidFile {folder}/apache.pid
            ErrorLog /dev/stderr
            User www-data
            Group www-data
            OIDCProviderMetadataURL http://localhost:{provider}/.well-known/openid-configuration
            OIDCClientID {id}
            OIDCClientSecret {secret}
            OIDCRedirectURI {callback}
            OIDCCryptoPassphrase a-passphrase-of-this-test
            OIDCPKCEMethod S256
            OIDCScope "openid profile groups"
            OIDCRemoteUserClaim preferred_username
            <Location />
                AuthType openid-connect
                Require valid-user
                Header always set X-User "expr=%{{REMOTE_USER}} of %{{reqenv:OIDC_CLAIM_groups}}"
            </Location>
            <Location /bye>
                AuthType none
                Require all granted
            </Location>
            "#,
            port = self.port,
            provider = machine.port,
            id = client["client_id"].as_str().expect("an id"),
            secret = client["client_secret"].as_str().expect("a secret"),
            callback = self.at("/cb"),
        );
        let file = self.folder.path().join("apache.conf");
        fs::write(&file, text).expect("a file");
        let mut command = machine.command("apache2");
        command.args(["-DFOREGROUND", "-f"]).arg(file);
        let mut server = Server::spawn(command);
        wait_for("Apache", || {
            assert!(!server.has_ended(), "{}", server.err());
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()
        });
        server
    }
}

#[test]
fn mod_auth_openidc_signs_in_and_out_and_hears_of_the_end_of_a_session() {
    if !is_there("apache2", "mod_auth_openidc signs in") || !has_openid_client() {
        return;
    }
    let machine = Machine::new();
    machine.add_user(
        "alice",
        &["--email", "alice@example.com", "--group", "staff"],
    );
    let apache = Apache::new();
    let [callback, bye, told] =
        ["/cb", "/bye", "/cb?logout=backchannel"].map(|path| apache.at(path));
    let client = machine.cli(&[
        "client",
        "add",
        "Apache",
        "--json",
        "--redirect-uri",
        &callback,
        "--post-logout-uri",
        &bye,
        "--back-channel-uri",
        &told,
    ]);
    let client = client.done().json();
    let _vestibule = machine.start();
    let server = apache.start(&machine, &client);
    let given = json!({
        "issuer": format!("http://localhost:{}", machine.port),
        "app": apache.at(""),
        "page": apache.at("/page.html"),
        "signOut": apache.at(&format!("/cb?{}", super::query(&[("logout", &bye)]))),
        "username": "alice",
        "password": PASSWORD,
    });
    let mut node = machine.command("node");
    node.arg(super::modules::script("app.mjs"));
    let seen = Ran::to_its_end(node, given.to_string().as_bytes())
        .done()
        .json();
    assert_eq!(seen["signedIn"], "alice of staff", "{seen}");
    assert_eq!(seen["left"], bye.as_str(), "{seen}");
    assert_eq!(
        (&seen["isAsked"], &seen["isSignedIn"]),
        (&json!(true), &json!(false)),
        "both sessions have ended"
    );
    assert_eq!(seen["signedInAgain"], "alice of staff", "{seen}");
    let times = (&seen["before"], &seen["after"]);
    assert_eq!(
        times,
        (&json!(false), &json!(true)),
        "asked once the session has ended at the provider: {}",
        server.err()
    );
}
