//! The signals that end the server.

use std::{fs, io};

use rocket::tokio;
use rocket::tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What was asked for so far.
pub struct Signals {
    /// By SIGTERM, Ctrl-C (SIGINT), or a terminal that was closed (SIGHUP).
    pub stop: CancellationToken,
    /// By one Ctrl-C more.
    pub hurry: CancellationToken,
}

impl Signals {
    /// # Errors
    /// The system hands no signals over.
    pub fn listen() -> io::Result<Self> {
        let signals = Self {
            stop: CancellationToken::new(),
            hurry: CancellationToken::new(),
        };
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = if is_ignored(SignalKind::hangup()) {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        let (stop, hurry) = (signals.stop.clone(), signals.hurry.clone());
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                // A person is there, who may wait.
                _ = interrupt.recv() => tracing::info!("stopping once running requests are answered; Ctrl-C again cuts them off"),
                () = received(&mut hangup) => {}
            }
            stop.cancel();
            interrupt.recv().await;
            hurry.cancel();
        });
        Ok(signals)
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether whoever started the program has it ignore the signal, as `nohup` does: to listen would undo
/// that. Linux tells in a mask of bits.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}
