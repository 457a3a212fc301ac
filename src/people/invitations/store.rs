use sqlx::Row as _;
use uuid::Uuid;

use super::{Granted, Invitation};
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Connection, Executor, Pool, Query, from_row};
use crate::foundation::token::TokenHash;

/// The columns that an [`Invitation`] is read from, of the table `invitations` as `i`.
macro_rules! invitation_columns {
    () => {
        "i.id, i.email, i.sign_up, i.uses_left, i.created_by, i.created_at, i.expires_at,
         (SELECT string_agg(g.group_name, ',' ORDER BY g.group_name) FROM invitation_groups g WHERE g.invitation_id = i.id) AS group_names"
    };
}

from_row!(Invitation, |row| {
    let groups: Option<String> = row.try_get("group_names")?;
    let groups = groups.iter().flat_map(|names| names.split(','));
    Ok(Self {
        id: row.try_get("id")?,
        email: row.try_get("email")?,
        groups: groups.map(str::to_owned).collect(),
        uses_left: row.try_get("uses_left")?,
        created_by: row.try_get("created_by")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        sign_up: row.try_get("sign_up")?,
    })
});

from_row!(Granted, |row| {
    Ok(Self {
        invitation: Invitation::from_row(row)?,
        mailed: row.try_get("mailed")?,
    })
});

/// False: there is one of this id.
pub(super) async fn insert(
    connection: &mut Connection,
    invitation: &Invitation,
    maker: Option<Uuid>,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query(
            "INSERT INTO invitations (id, email, sign_up, uses_left, maker_id, created_by, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
        )
        .bind(invitation.id)
        .bind(&invitation.email)
        .bind(invitation.sign_up)
        .bind(invitation.uses_left)
        .bind(maker)
        .bind(&invitation.created_by)
        .bind(invitation.created_at)
        .bind(invitation.expires_at)
        .execute()
        .await?;
    if rows == 0 {
        return Ok(false);
    }
    for group in &invitation.groups {
        connection
            .query("INSERT INTO groups (name) VALUES ($1) ON CONFLICT (name) DO NOTHING")
            .bind(group)
            .execute()
            .await?;
        connection
            .query("INSERT INTO invitation_groups (invitation_id, group_name) VALUES ($1, $2)")
            .bind(invitation.id)
            .bind(group)
            .execute()
            .await?;
    }
    Ok(true)
}

pub(super) async fn insert_link(
    connection: &mut Connection,
    hash: &TokenHash,
    invitation: Uuid,
    mailed: bool,
) -> Result<(), sqlx::Error> {
    connection
        .query("INSERT INTO invitation_links (hash, invitation_id, mailed) VALUES ($1, $2, $3)")
        .bind(hash.as_bytes())
        .bind(invitation)
        .bind(mailed)
        .execute()
        .await?;
    Ok(())
}

/// `None`: there is none, or it has ended.
pub(super) async fn by_id(
    connection: &mut Connection,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<Invitation>, sqlx::Error> {
    connection
        .query(concat!(
            "SELECT ",
            invitation_columns!(),
            " FROM invitations i WHERE i.id = $1 AND i.expires_at > $2"
        ))
        .bind(id)
        .bind(now)
        .optional()
        .await
}

/// `None`: there is no such link, or its invitation has ended.
pub(super) async fn by_link<'c>(
    executor: impl Into<Executor<'c>>,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<Granted>, sqlx::Error> {
    Query::on(
        executor,
        concat!(
            "SELECT l.mailed, ",
            invitation_columns!(),
            " FROM invitation_links l JOIN invitations i ON i.id = l.invitation_id
             WHERE l.hash = $1 AND i.expires_at > $2"
        ),
    )
    .bind(hash.as_bytes())
    .bind(now)
    .optional()
    .await
}

/// How many visitors' links were made for an address, in lower case, since a moment, and not used.
pub(super) async fn count_sign_ups(
    connection: &mut Connection,
    address: &str,
    since: Timestamp,
) -> Result<i64, sqlx::Error> {
    connection
        .query("SELECT count(*) FROM invitations WHERE lower(email) = $1 AND sign_up AND created_at > $2")
        .bind(address)
        .bind(since)
        .scalar()
        .await
}

/// Those of admins and of the command line.
pub(super) async fn list(pool: &Pool, now: Timestamp) -> Result<Vec<Invitation>, sqlx::Error> {
    pool.query(concat!(
        "SELECT ",
        invitation_columns!(),
        " FROM invitations i WHERE i.expires_at > $1 AND NOT i.sign_up ORDER BY i.created_at, i.id"
    ))
    .bind(now)
    .all()
    .await
}

pub(super) async fn use_one(connection: &mut Connection, id: Uuid) -> Result<(), sqlx::Error> {
    connection
        .query("UPDATE invitations SET uses_left = uses_left - 1 WHERE id = $1")
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn delete(connection: &mut Connection, id: Uuid) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM invitations WHERE id = $1")
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn delete_by(connection: &mut Connection, maker: Uuid) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM invitations WHERE maker_id = $1")
        .bind(maker)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn delete_expired(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM invitations WHERE expires_at <= $1")
        .bind(now)
        .execute()
        .await?;
    Ok(())
}
