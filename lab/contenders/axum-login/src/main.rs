//! The same check with axum-login and its session store on SQLite, each as its own example has it.
//!
//!     axum-login-check seed FILE SESSIONS USERS COOKIES
//!     axum-login-check serve FILE ADDRESS

mod seed;

use std::error::Error;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum_login::tower_sessions::SessionManagerLayer;
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, UserId};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{FromRow, SqlitePool};
use tower_sessions_sqlx_store::SqliteStore;

#[derive(Clone, Debug, FromRow)]
pub struct User {
    id: i64,
    username: String,
    password_hash: String,
}

impl AuthUser for User {
    type Id = i64;

    fn id(&self) -> i64 {
        self.id
    }

    fn session_auth_hash(&self) -> &[u8] {
        self.password_hash.as_bytes()
    }
}

#[derive(Clone, Debug)]
struct Users(SqlitePool);

impl AuthnBackend for Users {
    type User = User;
    type Credentials = ();
    type Error = sqlx::Error;

    async fn authenticate(&self, (): ()) -> Result<Option<User>, sqlx::Error> {
        Ok(None)
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<User>, sqlx::Error> {
        sqlx::query_as("SELECT id, username, password_hash FROM users WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.0)
            .await
    }
}

async fn check(auth: AuthSession<Users>) -> impl IntoResponse {
    match auth.user {
        Some(user) => Ok([("Remote-User", user.username)]),
        None => Err(StatusCode::UNAUTHORIZED),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["seed", file, sessions, users, cookies] => {
            seed::seed(
                &open(file).await?,
                sessions.parse()?,
                users.parse()?,
                cookies,
            )
            .await
        }
        ["serve", file, address] => serve(open(file).await?, address).await,
        _ => Err("seed FILE SESSIONS USERS COOKIES, or serve FILE ADDRESS".into()),
    }
}

async fn open(file: &str) -> Result<SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    SqlitePool::connect_with(options).await
}

async fn serve(pool: SqlitePool, address: &str) -> Result<(), Box<dyn Error>> {
    let sessions = SessionManagerLayer::new(SqliteStore::new(pool.clone()));
    let auth = AuthManagerLayerBuilder::new(Users(pool), sessions).build();
    let app = Router::new().route("/check", get(check)).layer(auth);
    let listener = tokio::net::TcpListener::bind(address).await?;
    Ok(axum::serve(listener, app).await?)
}
