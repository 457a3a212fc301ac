//! Secrets at rest: what a thief of the files learns.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::foundation::db::{self, Location};
use vestibule::people::users::NewUser;

use crate::support::TestApp;

/// Everything that stands in the files of a folder.
fn all_bytes(folder: &Path) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(folder).expect("a folder");
    files
        .map(|file| std::fs::read(file.expect("a file").path()).expect("a file"))
        .collect()
}

fn stands_in(files: &[Vec<u8>], word: &[u8]) -> bool {
    files
        .iter()
        .any(|bytes| bytes.windows(word.len()).any(|window| window == word))
}

#[rocket::async_test]
async fn sec_01_no_file_holds_the_secret_of_a_session() {
    let app = TestApp::start().await;
    let mut tokens = Vec::new();
    for n in 0..25 {
        tokens.push(app.signed_in(&format!("user{}", n % 3)).await.token());
    }
    let location =
        Location::parse(&app.app.db.path().expect("a file").to_string_lossy()).expect("a path");
    db::backup(&location, &app.folder.path().join("backup.db"))
        .await
        .expect("a backup");
    let files = all_bytes(app.folder.path());
    assert!(files.len() >= 4, "database, -wal, -shm and backup");
    for token in &tokens {
        let raw = URL_SAFE_NO_PAD.decode(token).expect("base64");
        assert!(!stands_in(&files, token.as_bytes()));
        assert!(!stands_in(&files, &raw));
        assert!(!stands_in(&files, &raw[..12]), "not in parts either");
    }
    let hash = app.sql("SELECT lower(hex(token_hash)) FROM sessions").await;
    let stored: Vec<u8> = (0..32)
        .map(|n| u8::from_str_radix(&hash[0][2 * n..][..2], 16).expect("hex"))
        .collect();
    assert!(stands_in(&files, &stored), "the hash does stand there");
}

#[rocket::async_test]
async fn sec_01_what_is_stored_lets_nobody_in() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    assert_eq!(alice.session().await.status, 200);
    for query in [
        "SELECT hex(token_hash) FROM sessions",
        "SELECT hex(id) FROM sessions",
    ] {
        let hex = app.sql(query).await.concat();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|n| u8::from_str_radix(&hex[2 * n..][..2], 16).expect("hex"))
            .collect();
        for value in [
            URL_SAFE_NO_PAD.encode(&bytes),
            hex.clone(),
            hex.to_lowercase(),
        ] {
            let mut thief = app.anonymous();
            thief
                .cookies
                .insert("__Host-vestibule".to_owned(), value.clone());
            assert_eq!(thief.session().await.status, 401, "{value}");
        }
    }
}

/// Promised for the database's own files. Not promised: blocks that the file system or the disk
/// keeps, backups taken before, and the audit trail, which keeps the user's name.
#[rocket::async_test]
async fn sec_05_what_is_deleted_leaves_the_file() {
    let app = TestApp::start().await;
    app.admin().await;
    let (email, agent, shown) = (
        "canary-31af@example.com",
        "canary-31af-agent",
        "Canary 31af of Alice",
    );
    app.add(NewUser {
        username: "alice".to_owned(),
        email: Some(email.to_owned()),
        display_name: Some(shown.to_owned()),
        ..NewUser::default()
    })
    .await;
    let mut alice = app.anonymous();
    alice.user_agent = agent.to_owned();
    alice.sign_in("alice", crate::support::PASSWORD).await;
    let hash = app
        .sql("SELECT password_hash FROM users WHERE username = 'alice'")
        .await
        .concat();
    let words = [email, agent, shown, &hash];
    let files = all_bytes(app.folder.path());
    assert!(
        words.iter().all(|word| stands_in(&files, word.as_bytes())),
        "they were there"
    );
    let deleted = lifecycle::delete(&app.app, &Actor::operator(), "alice").await;
    deleted.expect("a database").expect("a user");
    // From where she was signed in stays listed for sessions.history.
    app.wait(Duration::from_secs(91 * 24 * 60 * 60)).await;
    app.sweep().await;
    app.app.close().await;
    let files = all_bytes(app.folder.path());
    for word in words {
        assert!(!stands_in(&files, word.as_bytes()), "{word}");
    }
}
