//! Rows of a seeded database that requests can ask for.

use sqlx::SqliteConnection;
use uuid::Uuid;

/// What requests ask for, so that there is something to find.
pub struct Samples {
    pub username: String,
    pub address: String,
    pub last_seen: String,
    pub started: String,
    pub user: String,
    pub users: Vec<Uuid>,
}

impl Samples {
    pub async fn read(
        connection: &mut SqliteConnection,
        rounds: usize,
    ) -> Result<Self, sqlx::Error> {
        // The places that pages at the far end begin after leave room for what is revoked meanwhile.
        // The longest name: no other one has it within.
        let username = sqlx::query_scalar(
            "SELECT username FROM users ORDER BY length(username) DESC, username LIMIT 1",
        )
        .fetch_one(&mut *connection)
        .await?;
        let address = sqlx::query_scalar("SELECT address FROM sessions WHERE ended_at IS NULL AND address LIKE '198.%' ORDER BY id LIMIT 1")
            .fetch_one(&mut *connection)
            .await?;
        let (at, id): (i64, Uuid) = sqlx::query_as("SELECT last_seen_at, id FROM sessions WHERE ended_at IS NULL ORDER BY last_seen_at, id LIMIT 1 OFFSET 99")
            .fetch_one(&mut *connection)
            .await?;
        let started: Uuid = sqlx::query_scalar(
            "SELECT id FROM sessions WHERE ended_at IS NULL ORDER BY id LIMIT 1 OFFSET 99",
        )
        .fetch_one(&mut *connection)
        .await?;
        let (name, of_user): (String, Uuid) = sqlx::query_as(
            "SELECT u.username, s.id FROM users u CROSS JOIN sessions s WHERE s.user_id = u.id AND s.ended_at IS NULL
             ORDER BY u.username DESC, s.id DESC LIMIT 1 OFFSET 99",
        )
        .fetch_one(&mut *connection)
        .await?;
        let users = sqlx::query_scalar("SELECT id FROM users WHERE username <> $1 AND username NOT LIKE 'anna.%' AND username NOT LIKE '%.garcia%' AND username < $2 ORDER BY id LIMIT $3")
            .bind(&username)
            .bind(&name)
            .bind(i64::try_from(rounds + 1).unwrap_or(i64::MAX))
            .fetch_all(&mut *connection)
            .await?;
        Ok(Self {
            username,
            address,
            last_seen: format!("last_seen~{at}~{id}"),
            started: format!("started~{started}"),
            user: format!("user~{name}~{of_user}"),
            users,
        })
    }
}
