use std::collections::HashMap;
use std::time::Duration;

use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::host::Pattern;
use super::rules::{Rule, Site};
use super::terms::{Factors, Terms};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Pool, from_row};
use crate::foundation::token::TokenHash;

/// Counts up with each change of sites or rules, by whatever process.
pub(super) async fn version(pool: &Pool) -> Result<i64, sqlx::Error> {
    pool.query("SELECT version FROM policy").scalar().await
}

pub(super) async fn count_on(connection: &mut Connection) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE policy SET version = version + 1")
        .execute()
        .await?;
    Ok(())
}

#[derive(FromRow)]
struct SiteRow {
    id: Uuid,
    host: String,
    #[sqlx(flatten)]
    terms: Terms,
}

/// All sites with their rules, by host, as they were together at one version. A row that cannot be
/// read is an error: nothing is guessed.
pub(super) async fn policy(pool: &Pool, scheme: &str) -> Result<(i64, Vec<Site>), sqlx::Error> {
    let mut snapshot = pool.snapshot().await?;
    let version = snapshot
        .query("SELECT version FROM policy")
        .scalar()
        .await?;
    let rows: Vec<SiteRow> = snapshot
        .query("SELECT id, host, name, fallback, note, factors, tokens, idle, max_age, background FROM sites ORDER BY host")
        .all()
        .await?;
    let rules: Vec<RuleRow> = snapshot
        .query("SELECT * FROM rules ORDER BY site_id, position, id")
        .all()
        .await?;
    let mut rules_of: HashMap<Uuid, Vec<Rule>> = HashMap::new();
    for row in rules {
        rules_of.entry(row.site_id).or_default().push(row.rule);
    }
    let sites = rows
        .into_iter()
        .map(|row| {
            Ok(Site {
                host: Pattern::parse(&row.host, scheme)
                    .ok_or_else(|| unreadable("host", &row.host))?,
                terms: row.terms,
                rules: rules_of.remove(&row.id).unwrap_or_default(),
                id: row.id,
            })
        })
        .collect::<Result<_, sqlx::Error>>()?;
    Ok((version, sites))
}

from_row!(Terms, |row| {
    let fallback: String = row.try_get("fallback")?;
    let span = |column: &'static str| {
        let micros: Option<i64> = row.try_get(column)?;
        Ok::<_, sqlx::Error>(micros.map(|micros| Duration::from_micros(micros.unsigned_abs())))
    };
    Ok(Self {
        fallback: fallback
            .parse()
            .map_err(|_| unreadable("fallback", &fallback))?,
        name: row.try_get("name")?,
        note: row.try_get("note")?,
        factors: Factors::of_number(row.try_get("factors")?),
        tokens: row.try_get("tokens")?,
        idle: span("idle")?,
        max_age: span("max_age")?,
        background: row.try_get("background")?,
    })
});

/// A limit in microseconds.
fn micros(limit: Option<Duration>) -> Option<i64> {
    limit.map(|limit| i64::try_from(limit.as_micros()).unwrap_or(i64::MAX))
}

#[derive(FromRow)]
struct RuleRow {
    site_id: Uuid,
    #[sqlx(flatten)]
    rule: Rule,
}

from_row!(Rule, |row| {
    let text = |column: &'static str| row.try_get::<String, _>(column);
    let words = |column| {
        text(column).map(|words| {
            words
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
    };
    Ok(Self {
        id: row.try_get("id")?,
        path: text("path")?
            .parse()
            .map_err(|_| unreadable("path", "rules"))?,
        methods: words("methods")?,
        networks: words("networks")?
            .iter()
            .map(|network| network.parse().map_err(|_| unreadable("network", network)))
            .collect::<Result<_, _>>()?,
        who: text("who")?
            .parse()
            .map_err(|_| unreadable("who", "rules"))?,
        effect: text("effect")?
            .parse()
            .map_err(|_| unreadable("effect", "rules"))?,
        factors: Factors::of_number(row.try_get("factors")?),
    })
});

fn unreadable(column: &str, text: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("{column} {text:?} cannot be read").into())
}

pub(super) async fn insert_site(
    connection: &mut Connection,
    site: &Site,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "INSERT INTO sites (id, host, fallback, note, factors, tokens, idle, max_age, background, name)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(site.id)
        .bind(site.host.to_string())
        .bind(site.terms.fallback.to_string())
        .bind(&site.terms.note)
        .bind(site.terms.factors.number())
        .bind(site.terms.tokens)
        .bind(micros(site.terms.idle))
        .bind(micros(site.terms.max_age))
        .bind(site.terms.background)
        .bind(&site.terms.name)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn update_site(
    connection: &mut Connection,
    site: &Site,
) -> Result<(), sqlx::Error> {
    connection
        .query(
            "UPDATE sites SET fallback = $2, note = $3, factors = $4, tokens = $5, idle = $6, max_age = $7, background = $8, name = $9
             WHERE id = $1",
        )
        .bind(site.id)
        .bind(site.terms.fallback.to_string())
        .bind(&site.terms.note)
        .bind(site.terms.factors.number())
        .bind(site.terms.tokens)
        .bind(micros(site.terms.idle))
        .bind(micros(site.terms.max_age))
        .bind(site.terms.background)
        .bind(&site.terms.name)
        .execute()
        .await?;
    Ok(())
}

/// False if there is none.
pub(super) async fn delete_site(
    connection: &mut Connection,
    id: Uuid,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query("DELETE FROM sites WHERE id = $1")
        .bind(id)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn insert_rule(
    connection: &mut Connection,
    site_id: Uuid,
    position: i64,
    rule: &Rule,
) -> Result<(), sqlx::Error> {
    let networks: Vec<String> = rule.networks.iter().map(ToString::to_string).collect();
    connection.query("INSERT INTO rules (id, site_id, position, path, methods, networks, who, effect, factors) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(rule.id)
        .bind(site_id)
        .bind(position)
        .bind(rule.path.to_string())
        .bind(rule.methods.join(" "))
        .bind(networks.join(" "))
        .bind(rule.who.to_string())
        .bind(rule.effect.to_string())
        .bind(rule.factors.number())
        .execute()
        .await?;
    Ok(())
}

/// Makes room at `position` for a rule.
pub(super) async fn move_down(
    connection: &mut Connection,
    site_id: Uuid,
    position: i64,
) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE rules SET position = position + 1 WHERE site_id = $1 AND position >= $2")
        .bind(site_id)
        .bind(position)
        .execute()
        .await?;
    Ok(())
}

/// False if there is none.
pub(super) async fn delete_rule(
    connection: &mut Connection,
    id: Uuid,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query("DELETE FROM rules WHERE id = $1")
        .bind(id)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// A ticket as it is stored; its own secret is not.
#[derive(FromRow)]
pub(super) struct Ticket {
    pub token_hash: Vec<u8>,
    pub flow_hash: Vec<u8>,
    pub host: String,
    pub rd: String,
    pub expires_at: Timestamp,
}

pub(super) async fn insert_ticket(
    connection: &mut Connection,
    hash: &TokenHash,
    ticket: &Ticket,
) -> Result<(), sqlx::Error> {
    connection.query("INSERT INTO tickets (ticket_hash, token_hash, flow_hash, host, rd, expires_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(hash.as_bytes())
        .bind(&ticket.token_hash)
        .bind(&ticket.flow_hash)
        .bind(&ticket.host)
        .bind(&ticket.rd)
        .bind(ticket.expires_at)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn unspent_tickets(
    connection: &mut Connection,
    session: &TokenHash,
    now: Timestamp,
) -> Result<i64, sqlx::Error> {
    connection
        .query("SELECT count(*) FROM tickets WHERE token_hash = $1 AND expires_at > $2")
        .bind(session.as_bytes())
        .bind(now)
        .scalar()
        .await
}

/// Whether such a ticket was made and is not spent.
pub(super) async fn is_ticket(pool: &Pool, hash: &TokenHash) -> Result<bool, sqlx::Error> {
    pool.query("SELECT EXISTS (SELECT 1 FROM tickets WHERE ticket_hash = $1)")
        .bind(hash.as_bytes())
        .scalar()
        .await
}

/// Spends a ticket, right or wrong: it is gone whatever comes of it.
pub(super) async fn take_ticket(
    connection: &mut Connection,
    hash: &TokenHash,
) -> Result<Option<Ticket>, sqlx::Error> {
    connection.query("DELETE FROM tickets WHERE ticket_hash = $1 RETURNING token_hash, flow_hash, host, rd, expires_at")
        .bind(hash.as_bytes())
        .optional()
        .await
}

/// `None`: the session is not live. Otherwise when a "keep me signed in" ends at the latest.
pub(super) async fn live_until(
    connection: &mut Connection,
    token_hash: &[u8],
    now: Timestamp,
) -> Result<Option<Option<Timestamp>>, sqlx::Error> {
    connection.query(
        "SELECT CASE WHEN s.remember THEN s.expires_at END FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.idle_expires_at > $2 AND s.expires_at > $2
           AND u.disabled_at IS NULL AND NOT u.must_change_password",
    )
    .bind(token_hash)
    .bind(now)
    .optional_scalar()
    .await
}

pub(super) async fn insert_secret(
    connection: &mut Connection,
    secret: &TokenHash,
    token_hash: &[u8],
    host: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection.query("INSERT INTO site_secrets (secret_hash, token_hash, host, created_at, used_at) VALUES ($1, $2, $3, $4, $4)")
        .bind(secret.as_bytes())
        .bind(token_hash)
        .bind(host)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Tickets that nobody came with.
pub(super) async fn delete_old_tickets(
    connection: &mut Connection,
    now: Timestamp,
    limit: u32,
) -> Result<u64, sqlx::Error> {
    connection.query("DELETE FROM tickets WHERE ticket_hash IN (SELECT ticket_hash FROM tickets WHERE expires_at <= $1 LIMIT $2)")
        .bind(now)
        .bind(i64::from(limit)).execute().await
}
