//! The code that opens the set-up. The database has its hash, so that whichever node is asked knows it.

use std::io::Write;
use std::time::Duration;

use super::store;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::token::Token;

/// How long a code is good. A restart gives a new one.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Makes a code, in place of an earlier one.
///
/// # Errors
/// The database failed; the earlier one is still good.
pub async fn renew(app: &App) -> Result<Token, Error> {
    let (code, now) = (Token::generate(), app.clock.now());
    let node = app.settings.nodes.name();
    let mut tx = app.db.begin().await?;
    store::replace_code(&mut tx, &code.hash(), &node, now, now.plus(LIFETIME)).await?;
    tx.commit().await?;
    Ok(code)
}

/// Makes a code, and the link that opens the set-up with it.
///
/// # Errors
/// As [`renew`].
pub async fn link(app: &App) -> Result<String, Error> {
    let code = renew(app).await?;
    Ok(app.settings.link(&format!("/setup?code={}", code.reveal())))
}

pub(super) async fn is_good(app: &App, code: &str) -> Result<bool, Error> {
    // Hashes are compared: what is learnt from the time it takes is of no use.
    Ok(match Token::parse(code) {
        Some(code) => store::is_code(app.db.reader(), &code.hash(), app.clock.now()).await?,
        None => false,
    })
}

/// On a first start, prints the link that makes the first admin; of several nodes, one does.
pub(super) async fn announce(app: &App) -> Result<(), Error> {
    if !super::is_open(app).await? {
        return Ok(());
    }
    let printed = store::printed(app.db.reader(), app.clock.now()).await?;
    let elsewhere = printed.filter(|printed| printed.node != app.settings.nodes.name());
    let text = match elsewhere {
        Some(store::Printed { node, at }) => format!(
            "  Set up     by the link that {node} printed at {at}; `vestibule setup link` makes a new one"
        ),
        None => format!(
            "  Set up     {}\n             makes the first admin; good for an hour, and once",
            link(app).await?
        ),
    };
    // Not println: a standard output that fails is no reason to stop.
    if let Err(error) = writeln!(std::io::stdout(), "{text}") {
        tracing::warn!(
            "the set-up link could not be printed: {error}; `vestibule setup link` makes another"
        );
    }
    Ok(())
}
