//! Sends what is queued, one after another, and tries again what failed.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use rocket::tokio::task::spawn_blocking;

use super::store::{self, Listed};
use super::transport::deliver;
use super::{Compose, Failure, Mail, forget};
use crate::foundation::app::{App, AppBuilder};
use crate::foundation::error::Error;

/// How soon a mail that was queued, by whatever process, is looked for.
const INTERVAL: Duration = Duration::from_secs(1);

/// Longer than any dialogue takes; a mail whose process died is taken by another after this.
const CLAIM: Duration = Duration::from_secs(5 * 60);

const MINUTE: u64 = 60;

/// How long to wait after each try that failed.
const PAUSES: [u64; 6] = [
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    60 * MINUTE,
    4 * 60 * MINUTE,
    12 * 60 * MINUTE,
];

/// How long mails that are over stay listed.
const HISTORY: Duration = Duration::from_secs(30 * 24 * 60 * MINUTE);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Debug, Default)]
struct Tries(Family<ByResult, Counter>);

pub(super) fn setup(builder: &mut AppBuilder) {
    let tries = Tries::default();
    builder
        .metrics
        .register("mails", "Tries to send a mail, by result", tries.0.clone());
    builder.manage(tries);
    builder.every(INTERVAL, |app| Box::pin(send_due(app)));
    builder.every_by_one(Duration::from_secs(60 * MINUTE), |app| {
        Box::pin(async {
            let mut tx = app.db.begin().await?;
            forget(&mut tx, app.clock.now().minus(HISTORY)).await?;
            Ok(tx.commit().await?)
        })
    });
}

/// Sends all that is due. What fails is written down, and stops nothing else.
async fn send_due(app: &App) -> Result<(), Error> {
    while store::any_due(app.db.reader(), app.clock.now()).await? {
        let mut tx = app.db.begin_apart().await?;
        let now = app.clock.now();
        let claimed = store::claim(&mut tx, now, now.plus(CLAIM)).await?;
        tx.commit().await?;
        match claimed {
            Some(mail) => send(app, &mail).await?,
            None => return Ok(()),
        }
    }
    Ok(())
}

async fn send(app: &App, mail: &Mail) -> Result<(), Error> {
    let result = match compose_and_send(app, mail).await {
        Ok(()) => "sent",
        Err(failure) if failure.is_permanent || is_over(app, mail) => {
            tracing::error!(id = %mail.id, kind = mail.kind, "a mail was given up: {}", failure.text);
            let mut tx = app.db.begin_apart().await?;
            store::give_up(&mut tx, mail.id, &failure.text, app.clock.now()).await?;
            tx.commit().await?;
            "given_up"
        }
        Err(failure) => {
            tracing::warn!(id = %mail.id, kind = mail.kind, "a mail was not sent, and is tried again: {}", failure.text);
            let mut tx = app.db.begin_apart().await?;
            let again = app.clock.now().plus(pause(mail.tries));
            store::mark_failed(&mut tx, mail.id, &failure.text, again).await?;
            tx.commit().await?;
            "failed"
        }
    };
    let tries = app.state::<Tries>();
    tries.0.get_or_create(&ByResult { result }).inc();
    Ok(())
}

/// Whether the next try would come too late.
fn is_over(app: &App, mail: &Mail) -> bool {
    app.clock.now().plus(pause(mail.tries)) >= mail.expires_at
}

fn pause(tries: i64) -> Duration {
    let number = usize::try_from(tries - 1).unwrap_or_default();
    Duration::from_secs(PAUSES[number.min(PAUSES.len() - 1)])
}

async fn compose_and_send(app: &App, mail: &Mail) -> Result<(), Failure> {
    if app.clock.now() >= mail.expires_at {
        return Err(Failure {
            text: "it came too late to be of use".to_owned(),
            is_permanent: true,
        });
    }
    let composer = app.state::<Box<dyn Compose>>();
    let mut recipient = String::new();
    if let Some(message) = composer.compose(app, mail).await? {
        recipient.clone_from(&message.to);
        let (settings, id) = (app.settings.clone(), mail.id);
        let sent = spawn_blocking(move || deliver(&settings, id, &message, &mut |_| {})).await;
        sent.unwrap_or_else(|_| {
            Err(Failure {
                text: "the thread that sends mail has ended".to_owned(),
                is_permanent: false,
            })
        })?;
    }
    Ok(mark_sent(app, mail, &recipient).await?)
}

async fn mark_sent(app: &App, mail: &Mail, recipient: &str) -> Result<(), Error> {
    let mut tx = app.db.begin_apart().await?;
    store::mark_sent(&mut tx, mail.id, recipient, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// What is in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub waiting: i64,
    /// Of these, those that have failed at least once.
    pub failing: i64,
    pub given_up: i64,
}

/// # Errors
/// The database failed.
pub async fn counts(app: &App) -> Result<Counts, Error> {
    let (waiting, failing, given_up) = store::counts(app.db.reader()).await?;
    Ok(Counts {
        waiting,
        failing,
        given_up,
    })
}

/// The newest mails, sent or not.
///
/// # Errors
/// The database failed.
pub async fn newest(app: &App, limit: i64) -> Result<Vec<Listed>, Error> {
    Ok(store::newest(app.db.reader(), limit).await?)
}
