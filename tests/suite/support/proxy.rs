use rocket::http::Method;
use vestibule::foundation::audit::Actor;
use vestibule::sites::policy;
use vestibule::sites::rules::{Fallback, Rule, Site};
use vestibule::sites::terms::Factors;

use super::{Answer, Client, PASSWORD, TestApp};

pub const FORWARD_AUTH: &str = "/api/authz/forward-auth";
pub const AUTH_REQUEST: &str = "/api/authz/auth-request";
pub const EXT_AUTHZ: &str = "/api/authz/ext-authz";

/// How a browser opens a page.
pub const PAGE: [(&str, &str); 2] = [("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate")];

/// How a page's script calls.
pub const SCRIPT: [(&str, &str); 2] = [("Accept", "*/*"), ("Sec-Fetch-Mode", "cors")];

/// The address of a protected host in its parts.
pub fn parts(url: &str) -> (String, String, String) {
    let (scheme, rest) = url.split_once("://").expect("an address");
    let at = rest.find('/').expect("a path");
    (
        scheme.to_owned(),
        rest[..at].to_owned(),
        rest[at..].to_owned(),
    )
}

/// Where an answer leads.
pub fn way(answer: &Answer) -> String {
    let location = answer.header("location").to_owned();
    assert!(!location.is_empty(), "{answer:?}");
    location
}

/// A rule as it is written: `allow /admin/* for group:staff`, with `from CIDR`, `by METHOD` and `with two`.
pub fn rule(text: &str) -> Rule {
    let words: Vec<&str> = text.split(' ').collect();
    let after = |word: &str| {
        let pairs = words.windows(2).filter(move |pair| pair[0] == word);
        pairs.map(|pair| pair[1].to_owned()).collect::<Vec<_>>()
    };
    Rule {
        id: uuid::Uuid::now_v7(),
        path: words[1].parse().expect("a path"),
        methods: after("by"),
        networks: after("from")
            .iter()
            .map(|network| network.parse().expect("a network"))
            .collect(),
        who: after("for")[0].parse().expect("who"),
        effect: words[0].parse().expect("an effect"),
        factors: after("with")
            .first()
            .map_or(Factors::One, |word| word.parse().expect("a number")),
    }
}

impl TestApp {
    /// A protected host with its default and its rules.
    pub async fn site(&self, host: &str, fallback: &str, rules: &[&str]) -> Site {
        let fallback: Fallback = fallback.parse().expect("a default");
        let site = policy::add_site(&self.app, &Actor::operator(), host, fallback.into())
            .await
            .expect("a database")
            .expect("a new site");
        for text in rules {
            policy::add_rule(
                &self.app,
                &Actor::operator(),
                site.id,
                rule(text),
                None,
                None,
            )
            .await
            .expect("a database")
            .expect("a new rule");
        }
        site
    }

    /// How many tickets are on their way.
    pub async fn unspent_tickets(&self) -> usize {
        self.sql("SELECT hex(ticket_hash) FROM tickets").await.len()
    }
}

impl Client {
    /// A request to a protected site, as a proxy of the common dialect asks about it.
    pub async fn ask(&mut self, method: &str, url: &str, headers: &[(&str, &str)]) -> Answer {
        let (scheme, host, uri) = parts(url);
        let mut all = vec![
            ("Host", "vestibule.internal"),
            ("X-Forwarded-Method", method),
            ("X-Forwarded-Proto", &scheme),
            ("X-Forwarded-Host", &host),
            ("X-Forwarded-Uri", &uri),
        ];
        all.extend(headers);
        self.send(Method::Get, FORWARD_AUTH, &all, "").await
    }

    /// The same as nginx asks.
    pub async fn ask_as_nginx(
        &mut self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut all = vec![
            ("Host", "vestibule.internal"),
            ("X-Original-Method", method),
            ("X-Original-URL", url),
        ];
        all.extend(headers);
        self.send(Method::Get, AUTH_REQUEST, &all, "").await
    }

    /// The same as Envoy asks, with the client's own method.
    pub async fn ask_as_envoy(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let (scheme, host, uri) = parts(url);
        let mut all = vec![("Host", host.as_str()), ("X-Forwarded-Proto", &scheme)];
        all.extend(headers);
        self.send(method, &format!("{EXT_AUTHZ}{uri}"), &all, "")
            .await
    }

    /// Opens a page of a protected site.
    pub async fn open(&mut self, url: &str) -> Answer {
        self.ask("GET", url, &PAGE).await
    }

    /// Asks for `/.vestibule/…` of a protected host where the proxy passes it on.
    pub async fn pass_on(&mut self, method: Method, url: &str) -> Answer {
        let (_, host, uri) = parts(url);
        let mut headers = vec![("Host", host.as_str())];
        headers.extend(PAGE);
        self.send(method, &uri, &headers, "").await
    }

    /// Opens what the sign-in host answers for an address of its own, as a person does.
    pub async fn follow(&mut self, address: &str) -> Answer {
        let path = address
            .strip_prefix("https://auth.example.com")
            .unwrap_or_else(|| panic!("{address} is at the sign-in host"));
        self.get(path).await
    }

    /// The sign-in form, sent with what an address of the sign-in page says.
    pub async fn sign_in_on_the_way(&mut self, username: &str, address: &str) -> Answer {
        let url = url::Url::parse(address).expect("an address");
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let mut fields = vec![("username", username), ("password", PASSWORD)];
        fields.extend(query.iter().filter_map(|(key, value)| {
            let known = ["rd", "flow"].contains(&key.as_str());
            known.then_some((key.as_str(), value.as_str()))
        }));
        self.post("/login", &fields).await
    }
}

/// A person's browser: what it keeps for the sign-in host, and for one protected host.
#[derive(Clone)]
pub struct Person {
    pub here: Client,
    pub there: Client,
}

impl Person {
    /// Signed in at the sign-in host, and nowhere else yet.
    pub async fn signed_in(app: &TestApp, username: &str) -> Self {
        Self {
            here: app.signed_in(username).await,
            there: app.anonymous(),
        }
    }

    /// Begins at a page and fetches a ticket: the address to present it at.
    pub async fn ticket(&mut self, url: &str) -> String {
        let sent = self.there.open(url).await;
        let minted = self.here.follow(&way(&sent)).await;
        let entrance = way(&minted);
        assert!(entrance.contains("/.vestibule/enter?ticket="), "{entrance}");
        entrance
    }

    /// Enters a site at a page, all the way.
    pub async fn enter(&mut self, url: &str) {
        let entrance = self.ticket(url).await;
        let entered = self.there.open(&entrance).await;
        assert_eq!((entered.status, way(&entered).as_str()), (302, url));
    }
}
