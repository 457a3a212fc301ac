use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::wd::{WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use super::Server;

/// Long enough for two busy cores.
const PATIENCE: Duration = Duration::from_secs(20);

/// A headless Chromium with a profile of its own; ended when it is dropped.
pub struct Browser {
    client: Client,
    scripts: bool,
    arguments: Vec<String>,
    // Before the profile: what runs no more writes no more.
    _driver: Driver,
    profile: Arc<TempDir>,
}

/// Chromedriver, and the browser that it started for a profile.
struct Driver {
    process: Child,
    browser: Option<Pid>,
    profile: Arc<TempDir>,
}

impl Browser {
    /// `None` where Chromium is not installed: the test says so and is over.
    pub async fn start() -> Option<Self> {
        Self::start_with(Vec::new()).await
    }

    /// With further arguments for the browser.
    pub async fn start_with(arguments: Vec<String>) -> Option<Self> {
        if !installed() {
            return None;
        }
        let profile = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        Some(Self::open(profile, true, arguments).await)
    }

    /// With scripts switched off in its settings.
    pub async fn without_scripts(self) -> Self {
        let (profile, arguments) = (self.profile.clone(), self.arguments.clone());
        self.close().await;
        Self::open(profile, false, arguments).await
    }

    /// Closed as a person closes it, and opened again with the same profile.
    pub async fn reopened(self) -> Self {
        let (profile, scripts) = (self.profile.clone(), self.scripts);
        let arguments = self.arguments.clone();
        self.close().await;
        Self::open(profile, scripts, arguments).await
    }

    async fn close(self) {
        self.client.clone().close().await.expect("a closed browser");
    }

    async fn open(profile: Arc<TempDir>, scripts: bool, arguments: Vec<String>) -> Self {
        let (mut driver, address) = Driver::start(&profile);
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(profile.path(), scripts, &arguments))
            .connect(&address)
            .await
            .expect("a browser");
        driver.browser = browser_id(&client);
        Self {
            client,
            scripts,
            arguments,
            _driver: driver,
            profile,
        }
    }

    pub async fn visit(&self, url: &str) {
        self.client.goto(url).await.expect("a page");
    }

    pub async fn reload(&self) {
        self.client.refresh().await.expect("a page");
    }

    pub async fn back(&self) {
        self.client.back().await.expect("a page");
    }

    pub async fn address(&self) -> String {
        self.client.current_url().await.expect("an address").into()
    }

    pub async fn title(&self) -> String {
        self.client.title().await.expect("a title")
    }

    /// Waits until the address is `url`.
    pub async fn arrives_at(&self, url: &str) {
        let url = Url::parse(url).expect("a URL");
        let waited = self.client.wait().at_most(PATIENCE).for_url(&url).await;
        if waited.is_err() {
            let stays = self.client.current_url().await.expect("an address");
            panic!("{stays} is not {url}: {}", self.text().await);
        }
    }

    /// Waits for an element.
    pub async fn find(&self, css: &str) -> Element {
        let wait = self.client.wait().at_most(PATIENCE);
        match wait.for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(_) => panic!("no {css}: {}", self.text().await),
        }
    }

    /// The same once the whole page is there, its pictures too.
    pub async fn finds_loaded(&self, css: &str) -> Element {
        let deadline = Instant::now() + PATIENCE;
        while self.run("return document.readyState").await != "complete" {
            assert!(Instant::now() < deadline, "never loaded");
        }
        self.find(css).await
    }

    pub async fn has(&self, css: &str) -> bool {
        let found = self.client.find_all(Locator::Css(css)).await;
        !found.expect("a page").is_empty()
    }

    /// Waits until an element is there no more.
    pub async fn leaves(&self, css: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.has(css).await {
            assert!(
                Instant::now() < deadline,
                "{css} stays: {}",
                self.text().await
            );
        }
    }

    /// Clicks the link that reads so.
    pub async fn follow(&self, link: &str) {
        let link = self.client.find(Locator::LinkText(link)).await;
        link.expect("a link").click().await.expect("a click");
    }

    /// What a person reads.
    pub async fn text(&self) -> String {
        let body = self.client.find(Locator::Css("body")).await;
        body.expect("a page").text().await.expect("a text")
    }

    pub async fn fill(&self, name: &str, value: &str) {
        let field = self.find(&format!("[name={name}]")).await;
        field.send_keys(value).await.expect("typed text");
    }

    /// Presses the button of the form that goes to `action`.
    pub async fn submit(&self, action: &str) {
        let button = self.find(&format!("form[action='{action}'] button")).await;
        button.click().await.expect("a click");
    }

    pub async fn sign_in(&self, server: &Server, username: &str, password: &str, remember: bool) {
        self.visit(&server.url("/login")).await;
        self.fill("username", username).await;
        self.fill("password", password).await;
        if remember {
            let field = self.find("[name=remember]").await;
            field.click().await.expect("a click");
        }
        self.submit("/login").await;
    }

    /// Types into whatever has the focus.
    pub async fn types(&self, keys: &str) {
        self.focused().await.send_keys(keys).await.expect("typing");
    }

    pub async fn focused(&self) -> Element {
        self.client.active_element().await.expect("a focus")
    }

    /// Shows pages as wide as this, in the light or the dark; nothing moves meanwhile.
    pub async fn shows(&self, width: u32, scheme: &str) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false}),
        )
        .await;
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({"features": [
                {"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ]}),
        )
        .await;
    }

    /// Runs a script in the page; what it returns.
    pub async fn run(&self, script: &str) -> Value {
        let ran = self.client.execute(script, Vec::new()).await;
        ran.expect("a script that runs")
    }

    /// Runs a script that ends by calling its last argument.
    pub async fn run_async(&self, script: &str) -> Value {
        let ran = self.client.execute_async(script, Vec::new()).await;
        ran.expect("a script that runs")
    }

    /// Waits until the page says `text`.
    pub async fn reads(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A page that is just being left has no text.
            let found = self.client.find(Locator::Css("body")).await;
            let shown = match found {
                Ok(body) => body.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if shown.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "no {text:?}: {shown}");
        }
    }

    /// Opens another tab and goes on there; what [`Browser::switch_to`] takes to come back.
    pub async fn new_tab(&self) -> WindowHandle {
        let before = self.client.window().await.expect("a tab");
        let tab = self.client.new_window(true).await.expect("a tab").handle;
        self.switch_to(tab).await;
        before
    }

    /// All tabs and windows that are open.
    pub async fn tabs(&self) -> Vec<WindowHandle> {
        self.client.windows().await.expect("tabs")
    }

    pub async fn switch_to(&self, tab: WindowHandle) {
        self.client.switch_to_window(tab).await.expect("a tab");
    }

    /// The value of a cookie of the page's host; scripts could not read it.
    pub async fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.client.get_all_cookies().await.expect("cookies");
        let found = cookies.into_iter().find(|cookie| cookie.name() == name);
        found.map(|cookie| cookie.value().to_owned())
    }

    /// Plants a cookie for the page's host, as an attacker would who has its value.
    pub async fn plant(&self, name: &str, value: &str) {
        let url = self.address().await;
        let cookie = json!({"url": url, "name": name, "value": value, "path": "/", "secure": true});
        self.devtools("Network.setCookie", cookie).await;
        assert_eq!(self.cookie(name).await.as_deref(), Some(value));
    }

    /// Forgets the cookies of the page's host.
    pub async fn forget_cookies(&self) {
        self.client.delete_all_cookies().await.expect("no cookies");
    }

    pub async fn screenshot(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("a picture")
    }

    /// Gives the browser a device that keeps passkeys, whose person consents, or waits. What commands name it by.
    pub async fn add_authenticator(&self, consents: bool) -> String {
        let device = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserVerified": true, "isUserConsenting": consents,
        });
        let id = self.webauthn(http::Method::POST, "", Some(device)).await;
        id.as_str().expect("an id").to_owned()
    }

    /// From now on no page waits for a passkey behind a field: a device that consents would answer at once.
    pub async fn without_autofill(&self) {
        let source = "if (window.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = async () => false";
        let script = json!({"source": source});
        self.devtools("Page.addScriptToEvaluateOnNewDocument", script)
            .await;
    }

    /// Whether the device recognises its person from now on.
    pub async fn recognises(&self, authenticator: &str, verified: bool) {
        let path = format!("/{authenticator}/uv");
        let verified = json!({"isUserVerified": verified});
        self.webauthn(http::Method::POST, &path, Some(verified))
            .await;
    }

    /// The passkeys that the device has.
    pub async fn passkeys(&self, authenticator: &str) -> Vec<Value> {
        let path = format!("/{authenticator}/credentials");
        let found = self.webauthn(http::Method::GET, &path, None).await;
        found.as_array().expect("a list").clone()
    }

    /// Puts a passkey of such a list on a device.
    pub async fn put_passkey(&self, authenticator: &str, passkey: Value) {
        let path = format!("/{authenticator}/credential");
        self.webauthn(http::Method::POST, &path, Some(passkey))
            .await;
    }

    pub async fn remove_passkeys(&self, authenticator: &str) {
        for passkey in self.passkeys(authenticator).await {
            let id = passkey["credentialId"].as_str().expect("an id");
            let path = format!("/{authenticator}/credentials/{id}");
            self.webauthn(http::Method::DELETE, &path, None).await;
        }
    }

    async fn webauthn(&self, method: http::Method, path: &str, body: Option<Value>) -> Value {
        let path = path.to_owned();
        let command = Webauthn { method, path, body };
        self.client.issue_cmd(command).await.expect("a command")
    }

    async fn devtools(&self, cmd: &'static str, params: Value) {
        let command = Devtools { cmd, params };
        self.client.issue_cmd(command).await.expect("a command");
    }
}

impl Driver {
    /// Starts chromedriver, and says its address. One that ends before it says its port is started again.
    fn start(profile: &Arc<TempDir>) -> (Self, String) {
        let mut tries = (0..5).filter_map(|_| Self::try_start(profile.clone()));
        tries.next().expect("chromedriver says its port")
    }

    fn try_start(profile: Arc<TempDir>) -> Option<(Self, String)> {
        let mut process = Command::new(DRIVER)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver");
        let stdout = process.stdout.take().expect("its output");
        // Ends its process when it is dropped.
        let driver = Self {
            process,
            browser: None,
            profile,
        };
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        })?;
        Some((driver, format!("http://127.0.0.1:{port}")))
    }
}

impl Drop for Driver {
    /// Killing chromedriver alone would leave its browser behind, and a browser that is still
    /// ending writes into a profile that is being removed.
    fn drop(&mut self) {
        let profile = self.profile.path().to_string_lossy();
        let browser = self
            .browser
            .filter(|id| command_line(*id).contains(&*profile));
        let family = browser.map(family).unwrap_or_default();
        for id in &family {
            let _ = kill_process(*id, Signal::KILL);
        }
        while family.iter().any(|id| runs(*id)) {
            std::thread::yield_now();
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A process and all that it started.
fn family(id: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(proc(id, "task"))
        .into_iter()
        .flatten()
        .flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<Pid> = children
        .flat_map(|ids| {
            let ids = ids
                .split_whitespace()
                .filter_map(|id| Pid::from_raw(id.parse().ok()?));
            ids.collect::<Vec<_>>()
        })
        .collect();
    [vec![id], children.into_iter().flat_map(family).collect()].concat()
}

/// Whether it is there and has not ended, waited for or not.
fn runs(id: Pid) -> bool {
    let stat = fs::read_to_string(proc(id, "stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| !['Z', 'X'].contains(&state))
}

fn command_line(id: Pid) -> String {
    let line = fs::read(proc(id, "cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).into_owned()
}

fn proc(id: Pid, file: &str) -> PathBuf {
    Path::new("/proc")
        .join(id.as_raw_nonzero().to_string())
        .join(file)
}

const DRIVER: &str = "/usr/bin/chromedriver";
const CHROMIUM: &str = "/usr/bin/chromium";

fn installed() -> bool {
    let installed = Path::new(DRIVER).exists() && Path::new(CHROMIUM).exists();
    super::required(installed, "chromium and chromedriver")
}

fn capabilities(
    profile: &Path,
    scripts: bool,
    further: &[String],
) -> serde_json::Map<String, Value> {
    let mut arguments = vec![format!("--user-data-dir={}", profile.display())];
    arguments.extend(ARGUMENTS.map(str::to_owned));
    arguments.extend_from_slice(further);
    let scripts = if scripts { 1 } else { 2 };
    let options = json!({
        "binary": CHROMIUM,
        "args": arguments,
        "prefs": {"profile.managed_default_content_settings.javascript": scripts},
    });
    serde_json::Map::from_iter([("goog:chromeOptions".to_owned(), options)])
}

/// Nothing leaves the machine; tests run as root in containers, where the sandbox cannot be had.
const ARGUMENTS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

fn browser_id(client: &Client) -> Option<Pid> {
    let id = client.capabilities()?.get("goog:processID")?.as_i64()?;
    Pid::from_raw(i32::try_from(id).ok()?)
}

/// A command of the DevTools protocol, as chromedriver passes it on.
#[derive(Debug)]
struct Devtools {
    cmd: &'static str,
    params: Value,
}

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        let body = json!({"cmd": self.cmd, "params": self.params});
        (http::Method::POST, Some(body.to_string()))
    }
}

/// A command of WebAuthn's for WebDriver (W3C, "Web Authentication", section 11).
#[derive(Debug)]
struct Webauthn {
    method: http::Method,
    path: String,
    body: Option<Value>,
}

impl WebDriverCompatibleCommand for Webauthn {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        let (session, path) = (session.unwrap_or_default(), &self.path);
        base.join(&format!("session/{session}/webauthn/authenticator{path}"))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        let body = self.body.as_ref().map(Value::to_string);
        (self.method.clone(), body)
    }
}
