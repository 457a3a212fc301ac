//! Grants: what a user let an application do, and whether that still stands. Codes and tokens hang on one.

use std::time::Duration;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use uuid::Uuid;

use super::claims::{self, Told};
use super::clients::Client;
use super::jwt::{sha256_hash, sha256_text};
use super::params::Params;
use super::store;
use super::token_error::TokenError;
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::secrets;
use crate::foundation::token::{Token, TokenHash};
use crate::people::users::User;
use crate::sessions::{CurrentSession, Methods};
use crate::web::Device;

/// A person's browser carries it over in a moment.
const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// Two processes of one application may use the same refresh token at the same time, or an answer may be lost.
const GRACE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Grant {
    pub id: Uuid,
    /// The session it came from, as long as that is listed.
    pub session_id: Option<Uuid>,
    /// It goes on when the session has ended.
    pub offline: bool,
    pub scope: String,
    pub nonce: Option<String>,
    pub auth_time: Timestamp,
    pub methods: Methods,
    pub trusted: bool,
    pub created_at: Timestamp,
}

/// A grant with all that decides whether it still stands.
#[derive(Debug)]
pub struct Standing {
    pub grant: Grant,
    pub has_ended: bool,
    pub session_lives: bool,
    pub client: Client,
    pub user: User,
}

#[derive(Debug)]
pub struct Code {
    pub redirect_uri: String,
    pub challenge: Option<String>,
    pub expires_at: Timestamp,
    pub is_used: bool,
    pub standing: Standing,
}

/// An access or refresh token that somebody shows.
#[derive(Debug)]
pub struct Presented {
    pub scope: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    pub standing: Standing,
}

/// Why a user may not use an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    ClientDisabled,
    UserDisabled,
    NoMember,
    /// The application asks for two factors.
    OneFactor,
    /// The user has a second factor, or has to have one.
    LacksFactor,
}

/// What keeps a user, proven by these methods, from an application now. What a further step cures comes last.
pub fn obstacle(
    app: &App,
    client: &Client,
    user: &User,
    methods: Methods,
    trusted: bool,
) -> Option<Obstacle> {
    let required = &app.settings.second_factor.required;
    if client.disabled_at.is_some() {
        Some(Obstacle::ClientDisabled)
    } else if user.disabled_at.is_some() {
        Some(Obstacle::UserDisabled)
    } else if !client.is_for(user) {
        Some(Obstacle::NoMember)
    } else if client.two_factors && !methods.is_two_factor() {
        Some(Obstacle::OneFactor)
    } else if methods.lack_second_factor(trusted, user, required) {
        Some(Obstacle::LacksFactor)
    } else {
        None
    }
}

impl Standing {
    /// Judged anew each time: session, user, groups, factors and client.
    pub fn stands(&self, app: &App) -> bool {
        let Grant {
            methods,
            trusted,
            offline,
            ..
        } = self.grant;
        !self.has_ended
            && (offline || self.session_lives)
            && obstacle(app, &self.client, &self.user, methods, trusted).is_none()
    }
}

impl Presented {
    pub fn is_live(&self, app: &App) -> bool {
        app.clock.now() < self.expires_at && self.standing.stands(app)
    }
}

/// What an application asked for, once all that is wrong with it was told.
pub struct Asked<'a> {
    pub client: &'a Client,
    pub redirect_uri: &'a str,
    pub scope: String,
    pub offline: bool,
    pub nonce: Option<&'a str>,
    pub challenge: Option<&'a str>,
    /// Whether the user was asked and agreed.
    pub agreed: bool,
}

/// Makes a code for the application. `None`: the session ended just now.
pub async fn start(
    app: &App,
    current: &CurrentSession,
    device: &Device,
    asked: &Asked<'_>,
) -> Result<Option<Token>, Error> {
    let now = app.clock.now();
    let (session, user) = (&current.session, &current.user);
    let mut tx = app.db.begin_for(user.username.as_str()).await?;
    if !store::session_lives(&mut tx, session.id).await? {
        return Ok(None);
    }
    let grant = Grant {
        id: audit::new_id_at(now),
        session_id: Some(session.id),
        offline: asked.offline,
        scope: asked.scope.clone(),
        nonce: asked.nonce.map(str::to_owned),
        auth_time: session.authenticated_at,
        methods: session.methods,
        trusted: session.trusted,
        created_at: now,
    };
    store::insert_grant(&mut tx, asked.client, user, &grant).await?;
    let code = Token::generate();
    let end = now.plus(CODE_LIFETIME);
    store::insert_code(
        &mut tx,
        &code.hash(),
        grant.id,
        asked.redirect_uri,
        asked.challenge,
        end,
    )
    .await?;
    if asked.challenge.is_some() {
        store::require_pkce(&mut tx, &asked.client.id).await?;
    }
    if asked.agreed {
        store::put_consent(&mut tx, user.id, &asked.client.id, &asked.scope, now).await?;
    }
    let record = Record::of(Event::ApplicationSignIn, user)
        .session(session.id)
        .detail(asked.client.name.clone());
    audit::commit(tx, now, &Actor::user(user, device.address), &[record]).await?;
    Ok(Some(code))
}

/// What an application is given at the token endpoint.
pub struct Issued {
    pub access_token: String,
    pub expires_in: Duration,
    pub refresh_token: String,
    pub id_token: Option<String>,
    pub scope: String,
}

type Outcome<T> = Result<Result<T, TokenError>, Error>;

/// Exchanges a code. A second use ends what came of the first.
pub async fn exchange(
    app: &App,
    client: &Client,
    params: &Params,
    device: &Device,
) -> Outcome<Issued> {
    let Some(code) = params.get("code") else {
        return Ok(Err(TokenError::missing("code")));
    };
    let wrong = || TokenError::invalid_grant("the code is unknown, over, or was used");
    let Some(token) = Token::parse(code) else {
        return Ok(Err(wrong()));
    };
    let (now, hash) = (app.clock.now(), token.hash());
    let mut tx = app.db.begin().await?;
    let Some(found) = store::code(&mut *tx, &hash, now).await? else {
        return Ok(Err(wrong()));
    };
    let standing = &found.standing;
    if standing.client.id != client.id {
        return Ok(Err(wrong()));
    }
    if found.is_used {
        end_for_replay(app, tx, standing, Event::CodeReplayed, device).await?;
        return Ok(Err(wrong()));
    }
    if now >= found.expires_at || !standing.stands(app) {
        return Ok(Err(wrong()));
    }
    if params.get("redirect_uri") != Some(found.redirect_uri.as_str()) {
        return Ok(Err(TokenError::invalid_grant(
            "redirect_uri is another than before",
        )));
    }
    if !is_proven(found.challenge.as_deref(), params.get("code_verifier")) {
        return Ok(Err(TokenError::invalid_grant("code_verifier does not fit")));
    }
    store::use_code(&mut tx, &hash, now).await?;
    let refresh = Token::generate();
    let scope = standing.grant.scope.clone();
    issue(app, tx, standing, scope, refresh).await.map(Ok)
}

/// RFC 7636, 4.6. A verifier for which there was no challenge shows that somebody took the challenge out.
fn is_proven(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            (43..=128).contains(&verifier.len()) && sha256_text(verifier.as_bytes()) == challenge
        }
        _ => false,
    }
}

/// Refreshes. The successor is derived from the token: within the grace all who show it get the same; after that its use ends
/// the grant, for two have it who should not.
pub async fn refresh(
    app: &App,
    client: &Client,
    params: &Params,
    device: &Device,
) -> Outcome<Issued> {
    let Some(text) = params.get("refresh_token") else {
        return Ok(Err(TokenError::missing("refresh_token")));
    };
    let wrong = || TokenError::invalid_grant("the refresh token is unknown, over, or was used");
    let Some(token) = Token::parse(text) else {
        return Ok(Err(wrong()));
    };
    let (now, hash) = (app.clock.now(), token.hash());
    let successor = successor(app, &token).await?;
    let mut tx = app.db.begin().await?;
    let Some(found) = store::refresh_token(&mut *tx, &hash, now).await? else {
        return Ok(Err(wrong()));
    };
    let standing = &found.standing;
    if standing.client.id != client.id {
        return Ok(Err(wrong()));
    }
    if found.used_at.is_some_and(|used| now >= used.plus(GRACE)) {
        end_for_replay(app, tx, standing, Event::RefreshReplayed, device).await?;
        return Ok(Err(wrong()));
    }
    if !found.is_live(app) {
        return Ok(Err(wrong()));
    }
    let Some(scope) = narrowed(&standing.grant.scope, params.get("scope")) else {
        return Ok(Err(TokenError::new(
            "invalid_scope",
            "scope asks for nothing that was granted",
        )));
    };
    store::use_refresh_token(&mut tx, &hash, now).await?;
    issue(app, tx, standing, scope, successor).await.map(Ok)
}

/// What of it was granted, for many applications send what they asked for at first. `None`: nothing.
fn narrowed(granted: &str, asked: Option<&str>) -> Option<String> {
    let Some(asked) = asked else {
        return Some(granted.to_owned());
    };
    let words = granted
        .split(' ')
        .filter(|word| Told::is_asked(asked, word));
    let words: Vec<&str> = words.collect();
    (!words.is_empty()).then(|| words.join(" "))
}

async fn successor(app: &App, token: &Token) -> Result<Token, Error> {
    let keys = secrets::keys(app).await?;
    let key = keys
        .derived("refresh tokens")
        .next()
        .ok_or_else(|| Error::Secrets("there is no key".to_owned()))?;
    let tag = hmac::sign(
        &hmac::Key::new(HMAC_SHA256, &key),
        token.reveal().as_bytes(),
    );
    let bytes = <[u8; 32]>::try_from(tag.as_ref());
    bytes
        .map(Token::of_bytes)
        .map_err(|_| Error::Secrets("HMAC-SHA-256 has 32 bytes".to_owned()))
}

async fn end_for_replay(
    app: &App,
    mut tx: Tx,
    standing: &Standing,
    event: Event,
    device: &Device,
) -> Result<(), Error> {
    let now = app.clock.now();
    store::end_grant(&mut tx, standing.grant.id, "replayed", now).await?;
    let record = Record::of(event, &standing.user)
        .refused()
        .detail(standing.client.name.clone());
    audit::commit(tx, now, &Actor::visitor(device.address), &[record]).await
}

async fn issue(
    app: &App,
    mut tx: Tx,
    standing: &Standing,
    scope: String,
    refresh: Token,
) -> Result<Issued, Error> {
    let now = app.clock.now();
    let Standing { grant, client, .. } = standing;
    let access = Token::generate();
    let end = now.plus(client.access_lifetime);
    store::insert_access_token(&mut tx, &access.hash(), grant.id, &scope, now, end).await?;
    let idle_end = now.plus(client.refresh_idle);
    let refresh_end = idle_end.min(grant.created_at.plus(client.refresh_max));
    store::insert_refresh_token(&mut tx, &refresh.hash(), grant.id, now, refresh_end).await?;
    tx.commit().await?;
    let access_token = access.reveal();
    let id_token = match Told::is_asked(&scope, "openid") {
        true => Some(claims::id_token(app, standing, &scope, &access_token).await?),
        false => None,
    };
    Ok(Issued {
        access_token,
        expires_in: client.access_lifetime,
        refresh_token: refresh.reveal(),
        id_token,
        scope,
    })
}

/// A token of either kind that lives, with whether it is one for refreshing.
pub async fn find(app: &App, text: &str) -> Result<Option<(Presented, bool)>, Error> {
    let Some(token) = Token::parse(text) else {
        return Ok(None);
    };
    let (now, hash) = (app.clock.now(), token.hash());
    if let Some(found) = store::access_token(app.db.reader(), &hash, now).await? {
        return Ok(Some((found, false)));
    }
    let found = store::refresh_token(app.db.reader(), &hash, now).await?;
    Ok(found.map(|found| (found, true)))
}

/// Ends a token of the client's own: a refresh token with all that came of its grant.
pub async fn revoke(app: &App, client: &Client, text: &str) -> Result<(), Error> {
    let Some((found, is_refresh)) = find(app, text).await? else {
        return Ok(());
    };
    if found.standing.client.id != client.id {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    if is_refresh {
        store::end_grant(&mut tx, found.standing.grant.id, "revoked", app.clock.now()).await?;
    } else {
        let hash: Option<TokenHash> = Token::parse(text).map(|token| token.hash());
        let hash = hash.unwrap_or_else(|| sha256_hash(text.as_bytes()));
        store::delete_access_token(&mut tx, &hash).await?;
    }
    Ok(tx.commit().await?)
}
