use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::instrument::WithSubscriber;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `work` gives, and what it logs.
pub async fn logged<T>(work: impl Future<Output = T>) -> (T, String) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let done = work.with_subscriber(subscriber).await;
    let bytes = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
    (done, String::from_utf8_lossy(&bytes).into_owned())
}
