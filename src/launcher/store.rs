use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::Owner;
use super::icon::{Icon, Kind};
use crate::foundation::db::{Connection, Pool, from_row};

/// Where an icon is, and whose.
#[derive(FromRow)]
pub struct Placed {
    pub id: Uuid,
    pub client_id: Option<String>,
    pub site_id: Option<Uuid>,
}

/// All, without the pictures.
pub(super) async fn icons(pool: &Pool) -> Result<Vec<Placed>, sqlx::Error> {
    pool.query("SELECT id, client_id, site_id FROM icons")
        .all()
        .await
}

from_row!(Icon, |row| {
    let kind: String = row.try_get("kind")?;
    let unknown = || sqlx::Error::Decode(format!("{kind:?} is not known").into());
    Ok(Self {
        kind: Kind::of_content_type(&kind).ok_or_else(unknown)?,
        image: row.try_get("image")?,
    })
});

/// `None`: there is no such icon, or no longer.
pub(super) async fn icon(pool: &Pool, id: Uuid) -> Result<Option<Icon>, sqlx::Error> {
    pool.query("SELECT kind, image FROM icons WHERE id = $1")
        .bind(id)
        .optional()
        .await
}

pub(super) async fn delete(connection: &mut Connection, owner: &Owner) -> Result<(), sqlx::Error> {
    connection
        .query("DELETE FROM icons WHERE client_id = $1 OR site_id = $2")
        .bind(owner.client())
        .bind(owner.site())
        .execute()
        .await?;
    Ok(())
}

/// False: whose it is, is gone.
pub(super) async fn insert(
    connection: &mut Connection,
    id: Uuid,
    owner: &Owner,
    icon: &Icon,
) -> Result<bool, sqlx::Error> {
    let rows = connection
        .query(
            "INSERT INTO icons (id, client_id, site_id, kind, image)
             SELECT $1, (SELECT id FROM clients WHERE id = $2), (SELECT id FROM sites WHERE id = $3), $4, $5
             WHERE EXISTS (SELECT 1 FROM clients WHERE id = $2) OR EXISTS (SELECT 1 FROM sites WHERE id = $3)",
        )
        .bind(id)
        .bind(owner.client())
        .bind(owner.site())
        .bind(icon.kind.content_type())
        .bind(&icon.image[..])
        .execute()
        .await?;
    Ok(rows == 1)
}
