//! What a server must be, and the migrations that a database of it has.

use std::io::ErrorKind;
use std::sync::LazyLock;

use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection};

use super::{Server, session};
use crate::foundation::db::{Refused, migrations};

/// sqlx-cli applies the same: `sqlx migrate run --source migrations/postgres`. The writers' lock stands for the
/// driver's, which no pooler passes.
pub static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("migrations/postgres");
    migrator.set_locking(false);
    migrator
});

const OLDEST_SERVER: i32 = 140_000;

/// Connects to a server that can keep what Vestibule promises.
pub async fn connect(server: &Server) -> Result<PgConnection, Refused> {
    let mut connection = PgConnection::connect_with(&session(server, false))
        .await
        .map_err(|e| explain(server, &e))?;
    let refused = fault(&mut connection)
        .await
        .map_err(|e| explain(server, &e))?;
    refused.map_or(Ok(connection), |fault| {
        Err(Refused(format!("{server}: {fault}")))
    })
}

async fn fault(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let (version, name, is_standby, commits, encoding): (i32, String, bool, String, String) = sqlx::query_as(
        "SELECT CAST(current_setting('server_version_num') AS INT), current_setting('server_version'), pg_is_in_recovery(),
             current_setting('synchronous_commit'), current_setting('server_encoding')",
    )
    .persistent(false)
    .fetch_one(connection)
    .await?;
    Ok(if version < OLDEST_SERVER {
        Some(format!(
            "PostgreSQL {name} is too old; Vestibule needs 14 or later"
        ))
    } else if is_standby {
        Some(
            "this server is a standby, which takes no changes; name the primary in database_url"
                .to_owned(),
        )
    } else if commits == "off" {
        Some(
            "synchronous_commit is off, so that what was acknowledged could be lost; set it to on: \
             ALTER DATABASE … SET synchronous_commit = on, or ALTER ROLE …"
                .to_owned(),
        )
    } else if encoding != "UTF8" {
        Some(format!(
            "the database's encoding is {encoding}; create it with ENCODING 'UTF8' TEMPLATE template0"
        ))
    } else {
        None
    })
}

/// Migrations that this program has and the database has not.
pub async fn pending(server: &Server, connection: &mut PgConnection) -> Result<Vec<i64>, Refused> {
    let failed = |e: sqlx::Error| explain(server, &e);
    let applied = applied(connection).await.map_err(failed)?;
    let is_foreign = applied.is_empty()
        && has_tables(connection, server.schema())
            .await
            .map_err(failed)?;
    let oldest = oldest(connection).await.map_err(failed)?;
    migrations::pending(&MIGRATIONS, server, &applied, is_foreign, oldest)
}

/// Which programs this schema is for, besides the one that made it.
async fn oldest(connection: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    let is_there: bool = sqlx::query_scalar("SELECT to_regclass('compatibility') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !is_there {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT oldest FROM compatibility")
        .fetch_optional(connection)
        .await
}

pub async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>, sqlx::Error> {
    let is_there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !is_there {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
        .fetch_all(connection)
        .await
}

/// Whether somebody made tables here.
pub async fn has_tables(connection: &mut PgConnection, schema: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename <> '_sqlx_migrations')",
    )
    .bind(schema)
    .fetch_one(connection)
    .await
}

const A_CERTIFICATE: &str = "; its certificate has to name the host of database_url, and a private authority is named there by sslrootcert=";

/// Why the server did not do it, and what to do.
pub fn explain(server: &Server, error: &sqlx::Error) -> Refused {
    let code = error.as_database_error().and_then(|error| error.code());
    let hint = match code.as_deref() {
        Some("28P01" | "28000") => {
            "; put the password into database_password_file or a password file (PGPASSFILE), and look at the server's pg_hba.conf"
        }
        Some("3D000") => "; create it: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
        Some("42501") => {
            "; the role needs rights on the schema: see docs/postgresql.md, or `vestibule db grants`"
        }
        Some("53300") => {
            "; the server has no connection left: each node takes up to 11 (max_connections)"
        }
        None => match error {
            // What TLS takes for none of its own comes as an error of the connection.
            sqlx::Error::Tls(_) => A_CERTIFICATE,
            sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => A_CERTIFICATE,
            sqlx::Error::Io(_) => "; is the server running, and is this its address?",
            _ => "",
        },
        _ => "",
    };
    Refused(format!("{server}: {error}{hint}"))
}
