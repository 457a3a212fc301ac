//! What a name has meant, or means to rules.

use crate::foundation::db::{Executor, Query};

/// Whether a name is or was a user's, is a user's verified address, or is named by a rule.
pub(in crate::people::users) async fn means_somebody<'c>(
    executor: impl Into<Executor<'c>>,
    username: &str,
) -> Result<bool, sqlx::Error> {
    Query::on(
        executor,
        "SELECT EXISTS (SELECT 1 FROM users WHERE username = $1)
             OR EXISTS (SELECT 1 FROM users WHERE lower(email) = $1 AND email_verified)
             OR EXISTS (SELECT 1 FROM former_users WHERE username = $1)
             OR EXISTS (SELECT 1 FROM rules WHERE who = $2)",
    )
    .bind(username)
    .bind(format!("user:{username}"))
    .scalar()
    .await
}
