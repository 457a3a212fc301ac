//! What a role needs that serves, and does not own the tables.

use super::copy::{LEFT_OUT, TABLES};

/// The SQL that makes `app` a role that reads and writes, and cannot change what tables there are, nor the audit trail.
#[must_use]
pub fn grants(owner: &str, app: &str, schema: &str) -> String {
    let (owner, app, schema) = (quoted(owner), quoted(app), quoted(schema));
    let changed = TABLES.into_iter().filter(|table| *table != "audit");
    let beside = LEFT_OUT.into_iter().filter(|table| !table.starts_with('_'));
    let tables: Vec<String> = changed
        .chain(beside)
        .map(|table| format!("{schema}.{table}"))
        .collect();
    format!(
        "-- As a superuser. {owner} migrates: vestibule --database postgres://…, with its password, db migrate
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA {schema};
GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner};
-- {app} serves.
GRANT USAGE ON SCHEMA {schema} TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {app};
-- What was recorded stays.
GRANT SELECT, INSERT ON {schema}.audit TO {app};
GRANT SELECT ON {schema}._sqlx_migrations TO {app};",
        tables = tables.join(", ")
    )
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
