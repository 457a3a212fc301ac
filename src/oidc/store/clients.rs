use std::time::Duration;

use sqlx::Row;
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Executor, Pool, Query, from_row};
use crate::oidc::clients::{Alg, AuthMethod, Client, Consent};

/// The columns that a [`Client`] is read from, of the table `clients` as `c`. Neither addresses nor groups hold a blank or a comma, and JSON
/// as it is kept no line break.
macro_rules! client_columns {
    () => {
        "c.id AS client_id, c.name AS client_name, c.secret_hash, c.auth_method, c.pkce, c.id_token_alg, c.claims_in, c.consent,
         c.factors, c.offline_access, c.back_channel_uri, c.launch_url, c.access_lifetime, c.refresh_idle, c.refresh_max,
         c.created_at AS client_created_at, c.disabled_at AS client_disabled_at,
         (SELECT string_agg(i.uri, ' ' ORDER BY i.uri) FROM client_uris i WHERE i.client_id = c.id AND i.kind = 'sign-in') AS redirect_uris,
         (SELECT string_agg(o.uri, ' ' ORDER BY o.uri) FROM client_uris o WHERE o.client_id = c.id AND o.kind = 'sign-out') AS sign_out_uris,
         (SELECT string_agg(l.group_name, ',' ORDER BY l.group_name) FROM client_groups l WHERE l.client_id = c.id) AS client_groups,
         (SELECT string_agg(r.claim || '=' || r.value || coalesce('@' || r.group_name, ''), '\n' ORDER BY r.position)
          FROM client_claims r WHERE r.client_id = c.id) AS client_claims"
    };
}
pub(super) use client_columns;

fn list(joined: Option<String>, between: char) -> Vec<String> {
    let parts = joined.iter().flat_map(|joined| joined.split(between));
    parts.map(str::to_owned).collect()
}

/// A word that only another program can have written is an error: nothing is guessed.
fn word<T>(parse: impl Fn(&str) -> Option<T>, text: &str) -> Result<T, sqlx::Error> {
    parse(text).ok_or_else(|| sqlx::Error::Decode(format!("{text:?} is not known").into()))
}

fn span(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

from_row!(Client, |row| {
    let auth_method: Option<String> = row.try_get("auth_method")?;
    Ok(Self {
        id: row.try_get("client_id")?,
        name: row.try_get("client_name")?,
        secret_hash: row.try_get("secret_hash")?,
        auth_method: auth_method
            .map(|text| word(AuthMethod::parse, &text))
            .transpose()?,
        pkce: row.try_get("pkce")?,
        alg: word(Alg::parse, row.try_get("id_token_alg")?)?,
        claims_in_id_token: row.try_get::<String, _>("claims_in")? == "both",
        consent: word(Consent::parse, row.try_get("consent")?)?,
        two_factors: row.try_get::<i64, _>("factors")? == 2,
        offline_access: row.try_get("offline_access")?,
        back_channel_uri: row.try_get("back_channel_uri")?,
        launch_url: row.try_get("launch_url")?,
        access_lifetime: span(row.try_get("access_lifetime")?),
        refresh_idle: span(row.try_get("refresh_idle")?),
        refresh_max: span(row.try_get("refresh_max")?),
        redirect_uris: list(row.try_get("redirect_uris")?, ' '),
        sign_out_uris: list(row.try_get("sign_out_uris")?, ' '),
        groups: list(row.try_get("client_groups")?, ','),
        claims: list(row.try_get("client_claims")?, '\n')
            .iter()
            .map(|text| word(|text| text.parse().ok(), text))
            .collect::<Result<_, _>>()?,
        created_at: row.try_get("client_created_at")?,
        disabled_at: row.try_get("client_disabled_at")?,
    })
});

/// `None`: there is no such client.
pub(in crate::oidc) async fn client<'c>(
    executor: impl Into<Executor<'c>>,
    id: &str,
) -> Result<Option<Client>, sqlx::Error> {
    Query::on(
        executor,
        concat!(
            "SELECT ",
            client_columns!(),
            " FROM clients c WHERE c.id = $1"
        ),
    )
    .bind(id)
    .optional()
    .await
}

/// All by name.
pub(in crate::oidc) async fn clients<'c>(
    executor: impl Into<Executor<'c>>,
) -> Result<Vec<Client>, sqlx::Error> {
    Query::on(
        executor,
        concat!(
            "SELECT ",
            client_columns!(),
            " FROM clients c ORDER BY c.name"
        ),
    )
    .all()
    .await
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// Adds a client, or changes the one of this id to be as given.
pub(in crate::oidc) async fn put_client(
    connection: &mut Connection,
    client: &Client,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO clients (id, name, secret_hash, auth_method, pkce, id_token_alg, claims_in, consent, factors, offline_access,
                                  back_channel_uri, access_lifetime, refresh_idle, refresh_max, created_at, disabled_at, launch_url)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, secret_hash = excluded.secret_hash,
                 auth_method = excluded.auth_method, pkce = excluded.pkce, id_token_alg = excluded.id_token_alg,
                 claims_in = excluded.claims_in, consent = excluded.consent, factors = excluded.factors,
                 offline_access = excluded.offline_access, back_channel_uri = excluded.back_channel_uri,
                 access_lifetime = excluded.access_lifetime, refresh_idle = excluded.refresh_idle,
                 refresh_max = excluded.refresh_max, disabled_at = excluded.disabled_at,
                 launch_url = excluded.launch_url",
        )
        .bind(&client.id)
        .bind(&client.name)
        .bind(client.secret_hash.as_ref().map(|hash| hash.as_bytes().to_vec()))
        .bind(client.auth_method.map(AuthMethod::as_str))
        .bind(client.pkce)
        .bind(client.alg.as_str())
        .bind(if client.claims_in_id_token { "both" } else { "userinfo" })
        .bind(client.consent.as_str())
        .bind(if client.two_factors { 2_i64 } else { 1 })
        .bind(client.offline_access)
        .bind(&client.back_channel_uri)
        .bind(micros(client.access_lifetime))
        .bind(micros(client.refresh_idle))
        .bind(micros(client.refresh_max))
        .bind(client.created_at)
        .bind(client.disabled_at)
        .bind(&client.launch_url)
        .execute()
        .await?;
    for statement in [
        "DELETE FROM client_uris WHERE client_id = $1",
        "DELETE FROM client_groups WHERE client_id = $1",
        "DELETE FROM client_claims WHERE client_id = $1",
    ] {
        connection
            .query(statement)
            .bind(&client.id)
            .execute()
            .await?;
    }
    let sign_in = client.redirect_uris.iter().map(|uri| ("sign-in", uri));
    let sign_out = client.sign_out_uris.iter().map(|uri| ("sign-out", uri));
    for (kind, uri) in sign_in.chain(sign_out) {
        connection
            .query(
                "INSERT INTO client_uris (client_id, kind, uri) VALUES ($1, $2, $3) ON CONFLICT (client_id, kind, uri) DO NOTHING",
            )
            .bind(&client.id)
            .bind(kind)
            .bind(uri)
            .execute()
            .await?;
    }
    for group in &client.groups {
        connection
            .query("INSERT INTO client_groups (client_id, group_name) VALUES ($1, $2) ON CONFLICT (client_id, group_name) DO NOTHING")
            .bind(&client.id)
            .bind(group)
            .execute()
            .await?;
    }
    for (position, rule) in (1_i64..).zip(&client.claims) {
        connection
            .query("INSERT INTO client_claims (client_id, position, claim, value, group_name) VALUES ($1, $2, $3, $4, $5)")
            .bind(&client.id)
            .bind(position)
            .bind(&rule.claim)
            .bind(rule.value.to_string())
            .bind(&rule.group)
            .execute()
            .await?;
    }
    Ok(())
}

/// From now on it has to send a challenge each time.
pub(in crate::oidc) async fn require_pkce(
    connection: &mut Connection,
    id: &str,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE clients SET pkce = TRUE WHERE id = $1 AND NOT pkce")
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

pub(in crate::oidc) async fn delete_client(
    connection: &mut Connection,
    id: &str,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM clients WHERE id = $1")
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

/// What a user agreed to. `None`: nothing.
pub(in crate::oidc) async fn consent(
    pool: &Pool,
    user_id: Uuid,
    client_id: &str,
) -> Result<Option<String>, sqlx::Error> {
    pool.query("SELECT scope FROM consents WHERE user_id = $1 AND client_id = $2")
        .bind(user_id)
        .bind(client_id)
        .optional_scalar()
        .await
}

pub(in crate::oidc) async fn put_consent(
    connection: &mut Connection,
    user_id: Uuid,
    client_id: &str,
    scope: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO consents (user_id, client_id, scope, given_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, given_at = excluded.given_at",
        )
        .bind(user_id)
        .bind(client_id)
        .bind(scope)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// An application that a user is connected to.
#[derive(sqlx::FromRow, serde::Serialize)]
pub struct Connected {
    pub client_id: String,
    pub name: String,
    pub since: Timestamp,
    pub last_used_at: Timestamp,
    pub offline: bool,
}

pub(in crate::oidc) async fn connected(
    pool: &Pool,
    user_id: Uuid,
) -> Result<Vec<Connected>, sqlx::Error> {
    pool.query(
        "SELECT c.id AS client_id, c.name, min(g.created_at) AS since, max(g.last_used_at) AS last_used_at,
                max(CASE WHEN g.offline THEN 1 ELSE 0 END) = 1 AS offline
         FROM grants g JOIN clients c ON c.id = g.client_id
         WHERE g.user_id = $1 AND g.ended_at IS NULL GROUP BY c.id, c.name ORDER BY c.name",
    )
    .bind(user_id)
    .all()
    .await
}

pub(in crate::oidc) async fn disconnect(
    connection: &mut Connection,
    user_id: Uuid,
    client_id: &str,
    now: Timestamp,
) -> Result<u64, sqlx::Error> {
    connection
        .query("DELETE FROM consents WHERE user_id = $1 AND client_id = $2")
        .bind(user_id)
        .bind(client_id)
        .execute()
        .await?;
    connection
        .query(
            "UPDATE grants SET ended_at = $3, end_reason = 'disconnected'
             WHERE user_id = $1 AND client_id = $2 AND ended_at IS NULL",
        )
        .bind(user_id)
        .bind(client_id)
        .bind(now)
        .execute()
        .await
}
