use serde::Serialize;
use uuid::Uuid;

use super::hosts;
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::error::Error;
use crate::people::app_tokens::{self, AppToken};
use crate::sites::policy::{self, Policy};
use crate::web::pages::{Page, Template, template};

/// A token as pages show it.
#[derive(Clone, Serialize)]
pub struct TokenView {
    id: Uuid,
    name: String,
    /// Hosts; none where it opens all.
    sites: Option<Vec<String>>,
    networks: Vec<String>,
    two_factor: bool,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    expired: bool,
    last_used_at: Option<Timestamp>,
    last_address: Option<String>,
}

impl TokenView {
    fn new(token: AppToken, policy: &Policy, now: Timestamp) -> Self {
        Self {
            expired: !token.is_live(now),
            id: token.id,
            name: token.name,
            sites: token.sites.map(|sites| hosts(policy, &sites)),
            networks: token.networks.iter().map(ToString::to_string).collect(),
            two_factor: token.two_factor,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            last_address: token.last_address,
        }
    }

    /// A user's tokens.
    ///
    /// # Errors
    /// The database failed.
    pub async fn of_user(app: &App, user_id: Uuid) -> Result<Vec<Self>, Error> {
        let tokens = app_tokens::of_user(app.db.reader(), user_id).await?;
        let policy = policy::current(app).await?;
        let now = app.clock.now();
        let views = tokens.into_iter();
        Ok(views.map(|token| Self::new(token, &policy, now)).collect())
    }

    /// For the test that renders every page.
    pub(crate) fn samples(text: &str) -> Vec<Self> {
        let at = Timestamp::from_micros(0);
        let named = Self {
            id: Uuid::nil(),
            name: text.to_owned(),
            sites: Some(vec![text.to_owned()]),
            networks: vec![text.to_owned()],
            two_factor: true,
            created_at: at,
            expires_at: Some(at),
            expired: true,
            last_used_at: Some(at),
            last_address: Some(text.to_owned()),
        };
        let of_all = Self {
            sites: None,
            networks: Vec::new(),
            two_factor: false,
            expires_at: None,
            expired: false,
            last_used_at: None,
            last_address: None,
            ..named.clone()
        };
        vec![named, of_all]
    }
}

/// What the form holds.
#[derive(Clone, Default, Serialize)]
pub struct TokenValues {
    pub name: String,
    pub sites: String,
    pub all_sites: bool,
    pub networks: String,
    pub expires: String,
}

/// One's own tokens, and the form that makes one.
#[derive(Serialize)]
pub struct TokensPage {
    tokens: Vec<TokenView>,
    /// The id of the token that the form makes: sent twice, it makes one.
    new_id: Uuid,
    form: TokenValues,
    /// Hosts of sites that take tokens.
    hosts: Vec<String>,
    error: Option<String>,
}

impl TokensPage {
    pub(super) async fn now(
        app: &App,
        user_id: Uuid,
        form: TokenValues,
        error: Option<String>,
    ) -> Result<Self, Error> {
        let policy = policy::current(app).await?;
        let taking = policy.sites.iter().filter(|site| site.terms.tokens);
        Ok(Self {
            tokens: TokenView::of_user(app, user_id).await?,
            new_id: Uuid::now_v7(),
            form,
            hosts: taking.map(|site| site.host.to_string()).collect(),
            error,
        })
    }
}

impl Page for TokensPage {
    const TEMPLATE: Template = template!("account/tokens.html");

    fn samples(text: &str) -> Vec<Self> {
        let empty = Self {
            tokens: Vec::new(),
            new_id: Uuid::nil(),
            form: TokenValues::default(),
            hosts: Vec::new(),
            error: None,
        };
        let full = Self {
            tokens: TokenView::samples(text),
            new_id: Uuid::nil(),
            form: TokenValues {
                name: text.to_owned(),
                sites: text.to_owned(),
                all_sites: true,
                networks: text.to_owned(),
                expires: text.to_owned(),
            },
            hosts: vec![text.to_owned()],
            error: Some(text.to_owned()),
        };
        vec![empty, full]
    }
}

/// A token that was just made: its secret is shown this once.
#[derive(Serialize)]
pub struct TokenPage {
    pub name: String,
    pub username: String,
    pub secret: String,
}

impl Page for TokenPage {
    const TEMPLATE: Template = template!("account/token.html");

    fn samples(text: &str) -> Vec<Self> {
        vec![Self {
            name: text.to_owned(),
            username: text.to_owned(),
            secret: text.to_owned(),
        }]
    }
}
