//! Being one of several nodes: joining them, saying so again and again, and leaving.

use std::time::Duration;

use super::app::{App, AppBuilder};
use super::db::Nodes;
use super::error::Error;
use super::secrets;

/// Often enough for one that is lost to make no difference.
const CONFIRM: Duration = Duration::from_millis(500);

/// How often a node says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Nothing where one server runs on a file.
pub(super) fn setup(builder: &mut AppBuilder) {
    if builder.db.nodes().is_none() {
        return;
    }
    builder.on_launch(|app| Box::pin(join(app)));
    builder.every(HEARTBEAT, |app| Box::pin(say_alive(app)));
    builder.every(CONFIRM, |app| {
        Box::pin(async { Ok(app.db.confirm().await?) })
    });
    builder.on_close(|app| Box::pin(leave(app)));
}

fn nodes(app: &App) -> &Nodes {
    app.db.nodes().expect("it is set up where there are nodes")
}

/// Becomes one of the nodes that changes wait for; before that, nothing is answered from memory.
async fn join(app: &App) -> Result<(), Error> {
    let (name, version) = (app.settings.nodes.name(), env!("CARGO_PKG_VERSION"));
    let mut tx = app.db.begin().await?;
    nodes(app).join(&mut tx, &name, version).await?;
    Ok(tx.commit().await?)
}

async fn say_alive(app: &App) -> Result<(), Error> {
    let key_ids = secrets::known_ids(app).await?;
    let mut tx = app.db.begin_apart().await?;
    let is_joined = nodes(app).heartbeat(&mut tx, &key_ids).await?;
    tx.commit().await?;
    if !is_joined {
        join(app).await?;
    }
    // A node that nobody asks anything goes on to know what was changed.
    Ok(app.db.ask().await?)
}

async fn leave(app: &App) -> Result<(), Error> {
    if !nodes(app).has_joined() {
        return Ok(());
    }
    app.db.suspend_cache();
    let mut tx = app.db.begin_apart().await?;
    nodes(app).leave(&mut tx).await?;
    Ok(tx.commit().await?)
}
